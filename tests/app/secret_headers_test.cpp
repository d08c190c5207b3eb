#include "dspu/secret_headers.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace {

using namespace dspu::app;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

template <class Do>
std::string refusal(Do act) {
  try {
    act();
  } catch (const usage_error& error) {
    return error.what();
  }
  return "accepted";
}

const char* environment(const std::string& name) {
  static const std::map<std::string, std::string> variables{
      {"TOKEN", "s3cret"}, {"KEY_2", "k$2"}, {"EMPTY", ""}};
  const auto found = variables.find(name);
  return found == variables.end() ? nullptr : found->second.c_str();
}

TEST(ReadHeaderFile, TakesAHeaderALine) {
  temporary_directory directory;
  write_file(directory / "headers", "# of the vault\nAuthorization: Bearer s3cret\r\n\n  \nX-Key: a#b");
  EXPECT_THAT(read_header_file(directory / "headers"),
              ElementsAre(Pair("Authorization", "Bearer s3cret"), Pair("X-Key", "a#b")));
}

TEST(ReadHeaderFile, NamesTheLineAndNotTheSecret) {
  temporary_directory directory;
  write_file(directory / "headers", "A: b\nAuthorization Bearer s3cret\n");
  EXPECT_THAT(refusal([&] { read_header_file(directory / "headers"); }),
              AllOf(HasSubstr("--header: "), HasSubstr("headers:2: "), Not(HasSubstr("s3cret"))));
  EXPECT_THAT(refusal([&] { read_header_file(directory / "absent"); }), HasSubstr("cannot read"));
}

TEST(ExpandHeader, PutsVariablesInTheirPlaces) {
  const auto expanded = [](const char* text) { return expand_header(text, environment); };
  EXPECT_THAT(expanded("Authorization: Bearer $TOKEN"), Pair("Authorization", "Bearer s3cret"));
  EXPECT_THAT(expanded("A: ${TOKEN}x $$ $KEY_2"), Pair("A", "s3cretx $ k$2"));
  EXPECT_THAT(expanded("A: $EMPTY"), Pair("A", ""));
}

TEST(ExpandHeader, SaysWhatIsWrongWithoutTheSecret) {
  const auto wrong = [](const char* text) { return refusal([&] { expand_header(text, environment); }); };
  EXPECT_EQ(wrong("A: $ABSENT"), "--header-env: the variable ABSENT is not set");
  for (const char* text : {"A: $", "A: $-x", "A: ${TOKEN", "A: ${}"})
    EXPECT_THAT(wrong(text), HasSubstr("followed by the name of a variable")) << text;
  EXPECT_THAT(wrong("Authorization $TOKEN"), AllOf(HasSubstr("--header-env: "), Not(HasSubstr("s3cret"))));
}

}  // namespace
