#include "dspu/usage_message.hpp"

#include "dspu/fetch_command.hpp"
#include "dspu/foreign_options.hpp"
#include "dspu/serve_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What the program says of these arguments; nothing of them is run.
std::string said_of(std::vector<std::string> arguments) {
  CLI::App app("dspu", "dspu");
  app.require_subcommand(1);
  int status = 0;
  add_fetch_command(app, status);
  add_serve_command(app, status);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    command->callback([] {});
  std::ranges::reverse(arguments);
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return usage_message(app, error);
  }
  return "accepted";
}

TEST(UsageMessage, NamesTheProgramAndWhereHelpIs) {
  const std::string text = said_of({"fetch", "--rate", "x", "http://h"});
  EXPECT_THAT(text, StartsWith("dspu fetch: --rate: 'x' is not a rate"));
  EXPECT_THAT(text, EndsWith("\nTry 'dspu fetch --help'.\n"));
  EXPECT_THAT(said_of({"serve", "--fail", "x"}), StartsWith("dspu serve: --fail"));
}

TEST(UsageMessage, SuggestsOptionsThatExist) {
  EXPECT_THAT(said_of({"fetch", "--host-rte", "3", "http://h"}),
              HasSubstr("unknown option --host-rte; did you mean --host-rate?"));
  EXPECT_THAT(said_of({"fetch", "--host", "3", "http://h"}),
              HasSubstr("did you mean --host-concurrency or --host-rate?"));
  EXPECT_THAT(said_of({"fetch", "--attempts=3", "http://h"}),
              HasSubstr("unknown option --attempts; did you mean --max-attempts?"));
  EXPECT_THAT(said_of({"fetch", "--xyzzy"}), StartsWith("dspu fetch: unknown option --xyzzy\n"));
  EXPECT_THAT(said_of({"fetch", "-Q"}), StartsWith("dspu fetch: unknown option -Q\n"));
}

TEST(UsageMessage, KnowsTheOptionsOfOtherPrograms) {
  EXPECT_THAT(
      said_of({"fetch", "--retry", "3", "http://h"}),
      HasSubstr("unknown option --retry; in dspu fetch: --max-attempts N, which counts the first "
                "attempt too; did you mean --retry-failed, --retry-on, "));
  EXPECT_THAT(said_of({"fetch", "-L", "http://h"}), HasSubstr("redirects are followed anyway"));
  EXPECT_THAT(said_of({"serve", "--location"}), StartsWith("dspu serve: unknown option --location\n"));
}

TEST(UsageMessage, SaysHowOftenAnOptionIsGiven) {
  EXPECT_THAT(said_of({"fetch", "-r", "10/s", "-r", "20/s", "http://h"}),
              StartsWith("dspu fetch: --rate is given 2 times (10/s, 20/s); it takes one value\n"));
  EXPECT_THAT(said_of({"fetch", "-o", "a", "-o", "b", "-o", "c"}),
              StartsWith("dspu fetch: --output is given 3 times (a, b, c); it takes one value\n"));
  EXPECT_THAT(said_of({"fetch", "http://h", "--timeout"}),
              StartsWith("dspu fetch: --timeout needs a value (TIME)\n"));
}

TEST(UsageMessage, SaysThatAFlagTakesNoValue) {
  EXPECT_THAT(said_of({"fetch", "--strict=3", "http://h"}),
              StartsWith("dspu fetch: --strict takes no value\n"));
  EXPECT_EQ(said_of({"fetch", "--strict", "http://h"}), "accepted");
  EXPECT_EQ(said_of({"fetch", "--adaptive-concurrency=vegas", "http://h"}), "accepted");
}

TEST(UsageMessage, SaysWhatExcludesWhat) {
  EXPECT_THAT(said_of({"fetch", "-q", "-v", "http://h"}),
              StartsWith("dspu fetch: --quiet and --verbose exclude each other\n"));
}

TEST(UsageMessage, SuggestsCommands) {
  EXPECT_THAT(said_of({"fecth", "http://h"}),
              StartsWith("dspu: unknown command 'fecth'; did you mean fetch?\n"));
  EXPECT_THAT(said_of({"frobnicate"}),
              StartsWith("dspu: unknown command 'frobnicate'; there are fetch or serve\n"));
  EXPECT_THAT(said_of({}), StartsWith("dspu: a command is missing: fetch or serve\n"));
  EXPECT_THAT(said_of({"--frob"}), StartsWith("dspu: unknown option --frob\n"));
}

// A hint that names an option which does not exist sends people in circles; so does one for an
// option that exists.
TEST(ForeignOptions, AreHintsToOptionsThatExist) {
  CLI::App root;
  int status = 0;
  add_fetch_command(root, status);
  const CLI::App* fetch = root.get_subcommand("fetch");
  const std::regex option("(^|[ ,])(--?[A-Za-z][a-z-]*)");
  for (const foreign_option& known : foreign_options()) {
    EXPECT_EQ(fetch->get_option_no_throw(std::string(known.name)), nullptr)
        << known.name << " exists";
    const std::string hint(known.hint);
    for (std::sregex_iterator at(hint.begin(), hint.end(), option), end; at != end; ++at)
      EXPECT_NE(fetch->get_option_no_throw((*at)[2]), nullptr) << known.name << ": " << (*at)[2];
  }
}

}  // namespace
