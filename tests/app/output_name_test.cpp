#include "dspu/output_name.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using ::testing::HasSubstr;

std::string name(const std::string& pattern, const std::string& url, const std::string& id = "i",
                 std::uint64_t n = 7) {
  return output_name(pattern).expand(id, n, url);
}

TEST(OutputName, HasAValueForEachField) {
  const std::string url = "https://example.com:8443/a/b%20c.tar.gz?q=1&r=%2F";
  EXPECT_EQ(name("{id}", url), "i");
  EXPECT_EQ(name("{n}", url), "00000007");
  EXPECT_EQ(name("{n}", url, "i", 123456789), "123456789");
  EXPECT_EQ(name("{host}", url), "example.com_8443");
  EXPECT_EQ(name("{path}", url), "a_b%20c.tar.gz_q_1_r_%2F");
  EXPECT_EQ(name("{basename}", url), "b%20c.tar.gz");
  EXPECT_EQ(name("x{ext}", url), "x.tar.gz");
  EXPECT_EQ(name("{host}/{n}-{basename}", url), "example.com_8443/00000007-b%20c.tar.gz");
  EXPECT_EQ(name("{host}", "http://[::1]:80/"), "___1__80");
}

TEST(OutputName, FindsBasenamesAndExtensions) {
  EXPECT_EQ(name("{basename}", "http://h"), "index");
  EXPECT_EQ(name("{basename}", "http://h/?a/b.c"), "index");
  EXPECT_EQ(name("{basename}", "http://h/d/"), "index");
  EXPECT_EQ(name("{basename}", "http://h/x#f/g"), "x");
  EXPECT_EQ(name("x{ext}", "http://h/a.html?b.c"), "x.html");
  EXPECT_EQ(name("x{ext}", "http://h.com"), "x");
  EXPECT_EQ(name("x{ext}", "http://h/.profile"), "x");
  EXPECT_EQ(name("x{ext}", "http://h/v1.2-beta+3"), "x");
  EXPECT_EQ(name("x{ext}", "http://h/.tar.gz"), "x.gz");
}

TEST(OutputName, IsReadableByDefault) {
  const std::string usual(output_name::usual);
  EXPECT_EQ(name(usual, "http://h:8080/a/b.html?q=1", "17-0123456789abcdef"),
            "17-0123456789abcdef@h_8080_a_b.html_q_1");
  EXPECT_EQ(name(usual, "https://h/"), "i@h");
  EXPECT_TRUE(output_name().tells_ids_apart());
  EXPECT_FALSE(output_name("{id}").tells_ids_apart());
}

TEST(OutputName, HoldsNoPassword) {
  EXPECT_EQ(name("{id}@{host}_{path}", "https://user:secret@h/@x"), "i@h__x");
}

// However ids look: what the name cannot hold, or would be cut off, is in a fingerprint.
TEST(OutputName, TellsIdsApart) {
  const std::vector<std::string> ids{"a/b",
                                     "a_b",
                                     "a:b",
                                     ".a",
                                     "_a",
                                     "a@h",
                                     "a",
                                     std::string(65, 'x'),
                                     std::string(66, 'x'),
                                     std::string(64, 'x'),
                                     "ä",
                                     "ö",
                                     ".",
                                     "..",
                                     "a.part"};
  std::set<std::string> names;
  for (const std::string& id : ids) {
    names.insert(name(std::string(output_name::usual), "http://h/x", id));
    names.insert(name("{id}", "http://h/x", id));
  }
  EXPECT_EQ(names.size(), 2 * ids.size());
}

TEST(OutputName, IsNotThatOfAFileThatIsNotWhole) {
  EXPECT_EQ(name("{basename}", "http://h/x.part"), "x.part_");
  EXPECT_EQ(name("{basename}", "http://h/x.part12"), "x.part12_");
}

TEST(OutputName, RefusesPatternsThatLeadElsewhere) {
  for (const auto& [pattern, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "must not be empty"},
           {"/{id}", "begins with a slash"},
           {"{id}/", "ends with a slash"},
           {"../{id}", ". or .."},
           {"a/../{id}", ". or .."},
           {"a//{id}", "empty"},
           {"{name}", "'{name}' is no field; fields are {id}, {n}"},
           {"{id", "brace"},
           {"id}", "brace"},
           {"a\nb", "control"}}) {
    try {
      output_name accepted(pattern);
      ADD_FAILURE() << "accepted " << pattern;
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), HasSubstr(why)) << pattern;
    }
  }
}

TEST(OutputName, StaysBelowItsDirectoryWhateverIdAndUrlAre) {
  std::mt19937 random(20);
  const auto text = [&](const char* letters, std::size_t most) {
    std::string made;
    for (std::size_t i = random() % most; i > 0; --i)
      made += letters[random() % std::char_traits<char>::length(letters)];
    return made;
  };
  for (int i = 0; i < 20'000; ++i) {
    std::string pattern;
    for (unsigned pieces = 1 + random() % 4; pieces > 0; --pieces) {
      const std::vector<std::string> all{"{id}",  "{n}", "{host}", "{path}", "{basename}",
                                         "{ext}", ".",   "/",      "a"};
      pattern += all[random() % all.size()];
    }
    std::string made;
    try {
      made =
          name(pattern, "http://" + text("a.:@", 8) + "/" + text("a./%2e~\\\xc3 ?#", i % 100 == 0 ? 900 : 20),
               "x" + text("../a~\xff", i % 100 == 0 ? 900 : 12));
    } catch (const std::invalid_argument&) {
      continue;
    }
    ASSERT_FALSE(made.empty());
    ASSERT_NE(made.front(), '/') << pattern;
    for (const auto& part : std::filesystem::path(made)) {
      ASSERT_FALSE(part.empty()) << made;
      ASSERT_NE(part, ".") << made;
      ASSERT_NE(part, "..") << made;
      ASSERT_LE(part.string().size(), 241u) << made;
      ASSERT_EQ(part.string().find('\0'), std::string::npos);
    }
  }
}

}  // namespace
