#include "dspu/input.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<input_item> items_of(input source) {
  std::vector<input_item> items;
  for (input_item item; source.next(item) == request_source::state::item;) items.push_back(item);
  EXPECT_EQ(source.expected(), items.size());
  return items;
}

std::vector<input_item> items_of_file(std::string_view text, std::size_t longest_line = 1000) {
  temporary_directory directory;
  write_file(directory / "in", text);
  return items_of(input({.files = {directory / "in"}, .longest_line = longest_line}));
}

std::vector<std::string> ids(const std::vector<input_item>& items) {
  std::vector<std::string> all;
  for (const input_item& item : items) all.push_back(item.id);
  return all;
}

TEST(Input, ReadsArgumentsThenFiles) {
  temporary_directory directory;
  write_file(directory / "a", "\xef\xbb\xbfhttp://h/2\r\n# comment\n\nhttp://h/3");
  write_file(directory / "b", "http://h/4\n");
  const auto items = items_of(input({.urls = {"http://h/1"}, .files = {directory / "a", directory / "b"}}));
  ASSERT_EQ(items.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(items[i].n, i + 1);
    EXPECT_EQ(items[i].request.url, "http://h/" + std::to_string(i + 1));
    EXPECT_EQ(items[i].problem, "");
  }
}

TEST(Input, GivesTheSameIdsToTheSameInput) {
  const auto first = ids(items_of_file("http://h/1\nhttp://h/1\nhttp://h/2\n"));
  EXPECT_EQ(first, ids(items_of_file("# now with a comment\nhttp://h/1\nhttp://h/1\nhttp://h/2\n")));
  EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(), 3u);
}

TEST(Input, GivesNewIdsWhereTheInputChanged) {
  const auto before = ids(items_of_file("http://h/1\nhttp://h/2\n"));
  const auto after = ids(items_of_file("http://h/0\nhttp://h/1\nhttp://h/2\n"));
  for (const std::string& id : before) EXPECT_THAT(after, ::testing::Not(::testing::Contains(id)));
}

TEST(Input, IgnoresHeadersInIds) {
  const auto one = ids(items_of(input({.urls = {"http://h"}, .defaults = {.headers = {{"Token", "a"}}}})));
  const auto two = ids(items_of(input({.urls = {"http://h"}, .defaults = {.headers = {{"Token", "b"}}}})));
  EXPECT_EQ(one, two);
}

TEST(Input, RejectsAnIdThatWasUsedBefore) {
  const auto items = items_of_file(R"({"id":"a","url":"http://h/1"}
{"id":"b","url":"http://h/2"}
{"id":"a","url":"http://h/3"}
)");
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[1].problem, "");
  EXPECT_THAT(items[2].problem, HasSubstr("in:3: the id \"a\" has been used before"));
  EXPECT_NE(items[2].id, "a");
}

TEST(Input, RejectsAGivenIdThatIsTheUsualIdOfALaterLine) {
  const std::string usual = ids(items_of_file("http://h/0\nhttp://h/1\n"))[1];
  const auto items = items_of_file("{\"id\":\"" + usual + "\",\"url\":\"http://h/x\"}\nhttp://h/1\n");
  EXPECT_THAT(items[1].problem, HasSubstr("used before"));
}

TEST(Input, NamesFileAndLineAndGoesOn) {
  const auto items =
      items_of_file("http://h/1\n\nnonsense\n" + std::string(2000, 'x') + "\n\xff\xfe\nhttp://h/2\n");
  ASSERT_EQ(items.size(), 5u);
  EXPECT_THAT(items[1].problem, HasSubstr("in:3: URL \"nonsense\" is not written in full"));
  EXPECT_THAT(items[2].problem, HasSubstr("in:4: the line is too long"));
  EXPECT_THAT(items[3].problem, HasSubstr("in:5: "));
  EXPECT_EQ(items[4].request.url, "http://h/2");
  EXPECT_EQ(items[4].n, 5u);
}

TEST(Input, LeavesAWrongLineItsIdAndItsUrl) {
  const auto items = items_of_file(R"({"id":"order-77","url":"ftp://user:secret@x/y"}
{"id":8,"method":"G T","url":"http://h/#a"}
{"id":"order-77","url":"http://h/2"}
example.com/x
{"id":"a","url":"http://h/3"
{"id":1.5,"url":"http://h/4"}
)");
  ASSERT_EQ(items.size(), 6u);
  for (const input_item& item : items) EXPECT_NE(item.problem, "");
  EXPECT_EQ(items[0].id, "order-77");
  EXPECT_EQ(items[0].asked, "ftp://***@x/y");
  EXPECT_EQ(items[0].line, R"({"id":"order-77","url":"ftp://user:secret@x/y"})");
  EXPECT_EQ(items[1].id, "8");
  EXPECT_EQ(items[1].asked, "http://h/#a");
  EXPECT_NE(items[2].id, "order-77") << "which is another's";
  EXPECT_EQ(items[2].line, R"({"id":")" + items[2].id + R"(","url":"http://h/2"})");
  EXPECT_EQ(items[3].asked, "example.com/x");
  EXPECT_EQ(items[3].line, R"({"url":"example.com/x","id":")" + items[3].id + R"("})");
  EXPECT_EQ(items[4].asked, "");
  EXPECT_EQ(items[4].line, R"({"id":"a","url":"http://h/3")");
  EXPECT_EQ(items[5].asked, "http://h/4");
}

TEST(Input, TellsOnceThatAFileIsUtf16) {
  temporary_directory directory;
  write_file(directory / "next", "http://h/1\n");
  const std::string text("\xff\xfeh\0t\0t\0p\0\n\0h\0\n\0h\0", 20);
  for (const std::string& begin : {text, text.substr(2), "\xfe\xff" + text.substr(3), text.substr(3)}) {
    write_file(directory / "in", begin);
    const auto items = items_of(input({.files = {directory / "in", directory / "next"}}));
    ASSERT_EQ(items.size(), 2u);
    EXPECT_THAT(items[0].problem, HasSubstr("in:1: this is UTF-16"));
    EXPECT_EQ(items[1].request.url, "http://h/1");
  }
}

TEST(Input, RefusesAFileThatIsNotThere) {
  try {
    input({.files = {"/nonexistent/urls.txt"}});
    ADD_FAILURE() << "accepted";
  } catch (const usage_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/urls.txt: No such file"));
  }
  EXPECT_THROW(input({.files = {"/"}}), usage_error);
}

TEST(Input, EstimatesHowManyItemsThereAre) {
  temporary_directory directory;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "http://host/" + std::to_string(1000 + i) + "\n";
  write_file(directory / "in", text);
  input source({.files = {directory / "in"}});
  EXPECT_EQ(source.expected(), std::nullopt);
  input_item item;
  for (int i = 0; i < 10; ++i) source.next(item);
  EXPECT_EQ(source.expected(), 1000u);
}

}  // namespace
