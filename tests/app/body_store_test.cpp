#include "dspu/body_store.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace {

using namespace dspu::app;
using dspu::app::testing::read_file;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;

void write(kept_body& body, std::string_view text) { body.write({text.data(), text.size()}); }

TEST(BodyFileName, IsUniqueReadableAndSafe) {
  EXPECT_EQ(body_file_name(17, "http://h:8080/a/b.html?q=1"), "00000017-h_8080_a_b.html_q_1");
  EXPECT_EQ(body_file_name(1, "https://h/../../etc/passwd"), "00000001-h_.._.._etc_passwd");
  EXPECT_EQ(body_file_name(2, "https://user:secret@h/"), "00000002-h");
  EXPECT_EQ(body_file_name(123456789, "https://h/@x"), "123456789-h__x");
  EXPECT_LE(body_file_name(3, "http://h/" + std::string(5000, 'x')).size(), 160u);
}

TEST(KeptBody, OnlyCountsIfNothingElseIsAsked) {
  kept_body body("", std::nullopt);
  body.begin({});
  write(body, "hello");
  body.finish();
  EXPECT_EQ(body.bytes(), 5u);
  EXPECT_EQ(body.file(), "");
  EXPECT_EQ(body.take_text(), std::nullopt);
  EXPECT_FALSE(body.omitted());
}

TEST(KeptBody, KeepsTheTextUpToTheLimit) {
  kept_body body("", 5);
  body.begin({});
  write(body, "hel");
  write(body, "lo");
  body.finish();
  EXPECT_FALSE(body.omitted());
  EXPECT_EQ(body.take_text(), "hello");
}

TEST(KeptBody, OmitsTheTextBeyondTheLimit) {
  kept_body body("", 5);
  body.begin({});
  write(body, "hello");
  write(body, "!");
  body.finish();
  EXPECT_TRUE(body.omitted());
  EXPECT_EQ(body.bytes(), 6u);
  EXPECT_EQ(body.take_text(), std::nullopt);
}

TEST(KeptBody, ForgetsTheResponseBefore) {
  temporary_directory directory;
  kept_body body(directory / "b", 100);
  body.begin({});
  write(body, "an error page that is longer");
  body.begin({});
  write(body, "right");
  EXPECT_FALSE(std::filesystem::exists(directory / "b"));
  body.finish();
  EXPECT_EQ(read_file(directory / "b"), "right");
  EXPECT_EQ(body.file(), directory / "b");
  EXPECT_EQ(body.bytes(), 5u);
  EXPECT_EQ(body.take_text(), "right");
  EXPECT_FALSE(std::filesystem::exists(directory / "b.part"));
}

TEST(KeptBody, LeavesNothingOfATornBody) {
  temporary_directory directory;
  {
    kept_body body(directory / "b", 100);
    body.begin({});
    write(body, "half of");
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(BodyStore, MakesItsDirectory) {
  temporary_directory directory;
  body_store store({.directory = directory / "a/b"});
  auto body = store.open(1, "http://h/x");
  body->begin({});
  write(*body, "saved");
  body->finish();
  EXPECT_EQ(read_file(directory / "a/b/00000001-h_x"), "saved");
}

TEST(BodyStore, SaysWhyItCannotWrite) {
  temporary_directory directory;
  write_file(directory / "file", "");
  EXPECT_THROW(body_store({.directory = directory / "file/sub"}), io_error);
}

}  // namespace
