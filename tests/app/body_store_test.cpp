#include "dspu/body_store.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using dspu::app::testing::read_file;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void write(kept_body& body, std::string_view text) { body.write({text.data(), text.size()}); }

TEST(KeptBody, OnlyCountsIfNothingElseIsAsked) {
  kept_body body({}, std::nullopt);
  body.begin({});
  write(body, "hello");
  body.finish();
  EXPECT_EQ(body.bytes(), 5u);
  EXPECT_EQ(body.file(), "");
  EXPECT_EQ(body.take_text(), std::nullopt);
  EXPECT_FALSE(body.omitted());
}

TEST(KeptBody, KeepsTheTextUpToTheLimit) {
  kept_body body({}, 5);
  body.begin({});
  write(body, "hel");
  write(body, "lo");
  body.finish();
  EXPECT_FALSE(body.omitted());
  EXPECT_EQ(body.take_text(), "hello");
}

TEST(KeptBody, OmitsTheTextBeyondTheLimit) {
  kept_body body({}, 5);
  body.begin({});
  write(body, "hello");
  write(body, "!");
  body.finish();
  EXPECT_TRUE(body.omitted());
  EXPECT_EQ(body.bytes(), 6u);
  EXPECT_EQ(body.take_text(), std::nullopt);
}

// A directory for bodies, and requests whose bodies go there.
class BodyStore : public ::testing::Test {
 protected:
  static std::unique_ptr<kept_body> begun(const body_store& store, const body_owner& owner,
                                          std::string_view text) {
    auto body = store.open(owner, {});
    body->begin({});
    write(*body, text);
    return body;
  }
  static std::string save(const body_store& store, const body_owner& owner, std::string_view text) {
    auto body = begun(store, owner, text);
    body->finish();
    return body->file();
  }
  body_options options(const std::string& pattern) const {
    return {.directory = directory / "b", .name = output_name(pattern)};
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / "b")) {
      if (!entry.is_directory()) names.push_back(entry.path().lexically_relative(directory / "b"));
    }
    return names;
  }

  temporary_directory directory;
  const body_owner a{"a", 1, "http://h/x"};
  const body_owner b{"b", 1, "http://h/x"};
};

std::string refusal(body_store& store, const body_owner& owner) {
  try {
    store.claim(owner);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST_F(BodyStore, MakesItsDirectory) {
  const body_store store({.directory = directory / "c/d"});
  EXPECT_EQ(save(store, a, "saved"), directory / "c/d/a@h_x");
  EXPECT_EQ(read_file(directory / "c/d/a@h_x"), "saved");
}

TEST_F(BodyStore, SaysWhyItCannotWrite) {
  write_file(directory / "file", "");
  EXPECT_THROW(body_store({.directory = directory / "file/sub"}), io_error);
}

TEST_F(BodyStore, ForgetsTheResponseBefore) {
  const body_store store({.directory = directory / "b", .inline_limit = 100});
  auto body = begun(store, a, "an error page that is longer");
  body->begin({});
  write(*body, "right");
  EXPECT_THAT(files(), ElementsAre("a@h_x.part"));
  body->finish();
  EXPECT_THAT(files(), ElementsAre("a@h_x"));
  EXPECT_EQ(read_file(body->file()), "right");
  EXPECT_EQ(body->bytes(), 5u);
  EXPECT_EQ(body->take_text(), "right");
}

TEST_F(BodyStore, LeavesNothingOfATornBody) {
  const body_store store({.directory = directory / "b"});
  begun(store, a, "half of") = nullptr;
  EXPECT_THAT(files(), IsEmpty());
}

// Bodies were called by number and URL: four POSTs to one URL overwrote each other from run to run.
TEST_F(BodyStore, GivesEachIdAFileOfItsOwnWhateverItsNumberAndUrl) {
  const body_store store({.directory = directory / "b"});
  const std::string of_a = save(store, a, "for a");
  const std::string of_b = save(store, b, "for b");
  EXPECT_EQ(read_file(of_a), "for a");
  EXPECT_EQ(read_file(of_b), "for b");
  EXPECT_EQ(save(store, a, "for a again"), of_a) << "an earlier run of the same request";
  EXPECT_EQ(read_file(of_a), "for a again");
}

TEST_F(BodyStore, RefusesANameThatAnotherRequestHas) {
  body_store store(options("{basename}"));
  EXPECT_EQ(refusal(store, a), "accepted");
  EXPECT_THAT(refusal(store, b),
              AllOf(HasSubstr("/b/x, as another request's is"), HasSubstr("--output-name")));
}

TEST_F(BodyStore, RefusesANameThatExistsUnlessItMayOverwrite) {
  body_store first(options("{basename}"));
  save(first, a, "of yesterday");
  body_store second(options("{basename}"));
  EXPECT_THAT(refusal(second, a), HasSubstr("exists and may be another's; --overwrite"));
  body_options with_leave = options("{basename}");
  with_leave.overwrite = true;
  body_store third(with_leave);
  EXPECT_EQ(refusal(third, a), "accepted");
  EXPECT_EQ(read_file(save(third, a, "new")), "new");
}

TEST_F(BodyStore, NeverOverwritesAFileOfTheRunItself) {
  body_options all = options("{basename}");
  all.overwrite = true;
  std::filesystem::create_directory(directory / "b");
  write_file(directory / "b/x", "results");
  struct stat facts{};
  ASSERT_EQ(::stat((directory / "b/x").c_str(), &facts), 0);
  all.files_of_run = {identity_of(facts)};
  body_store store(all);
  EXPECT_THAT(refusal(store, a), HasSubstr("which the run reads or writes"));
}

TEST_F(BodyStore, TakesNoFilesPlaceThatCameMeanwhile) {
  const body_store store(options("{basename}"));
  auto body = begun(store, a, "ours");
  write_file(directory / "b/x", "theirs");
  EXPECT_THROW(body->finish(), io_error);
  body = nullptr;
  EXPECT_THAT(files(), ElementsAre("x"));
  EXPECT_EQ(read_file(directory / "b/x"), "theirs");
}

TEST_F(BodyStore, WritesThroughNoLinkAtThePartsName) {
  write_file(directory / "precious", "precious");
  for (const bool hard : {false, true}) {
    const body_store store({.directory = directory / "b"});
    if (hard) {
      std::filesystem::create_hard_link(directory / "precious", directory / "b/a@h_x.part");
    } else {
      std::filesystem::create_symlink(directory / "precious", directory / "b/a@h_x.part");
    }
    EXPECT_EQ(read_file(save(store, a, "body")), "body");
    EXPECT_EQ(read_file(directory / "precious"), "precious");
    EXPECT_FALSE(std::filesystem::is_symlink(directory / "b/a@h_x"));
  }
}

TEST_F(BodyStore, ReplacesALinkAtTheNameAndNotItsTarget) {
  write_file(directory / "precious", "precious");
  const body_store store({.directory = directory / "b"});
  std::filesystem::create_symlink(directory / "precious", directory / "b/a@h_x");
  EXPECT_EQ(read_file(save(store, a, "body")), "body");
  EXPECT_EQ(read_file(directory / "precious"), "precious");
}

TEST_F(BodyStore, MakesDirectoriesAndFollowsNoLinkAmongThem) {
  const body_store store(options("{host}/{id}"));
  EXPECT_EQ(save(store, a, "body"), directory / "b/h/a");
  std::filesystem::remove_all(directory / "b/h");
  std::filesystem::create_directory(directory / "elsewhere");
  std::filesystem::create_directory_symlink(directory / "elsewhere", directory / "b/h");
  EXPECT_THROW(begun(store, a, "body"), io_error);
  EXPECT_TRUE(std::filesystem::is_empty(directory / "elsewhere"));
}

// A run that is killed leaves a part; another that saves the same request takes its name over.
TEST_F(BodyStore, BeginsAnewWhereAPartWasLeftAndNoticesThatItsOwnIsGone) {
  const body_store store({.directory = directory / "b", .sync = true});
  auto first = begun(store, a, "half of");
  auto second = begun(store, a, "all of it");
  EXPECT_THROW(first->finish(), io_error);
  first = nullptr;
  EXPECT_THAT(files(), ElementsAre("a@h_x.part")) << "the second one's";
  second->finish();
  EXPECT_EQ(read_file(directory / "b/a@h_x"), "all of it");
}

}  // namespace
