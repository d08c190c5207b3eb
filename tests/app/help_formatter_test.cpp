#include "dspu/help_formatter.hpp"

#include "dspu/fetch_command.hpp"
#include "dspu/serve_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace {

using namespace dspu::app;
using ::testing::HasSubstr;

TEST(Wrapped, BreaksBetweenWordsOnly) {
  EXPECT_EQ(wrapped("one two three", 0, 80), "one two three");
  EXPECT_EQ(wrapped("one two three", 0, 7), "one two\nthree");
  EXPECT_EQ(wrapped("one two three", 2, 7), "one\n  two\n  three");
  EXPECT_EQ(wrapped("a-word-that-is-longer than that", 0, 10), "a-word-that-is-longer\nthan that");
  EXPECT_EQ(wrapped("", 4, 10), "");
}

std::string help_of(const char* command, std::size_t width) {
  CLI::App app("dspu", "dspu");
  app.formatter(std::make_shared<help_formatter>(width));
  int status = 0;
  add_fetch_command(app, status);
  add_serve_command(app, status);
  return app.get_subcommand(command)->help();
}

std::set<std::string> words_of(const std::string& text) {
  // A long list may go on in the next line behind a comma.
  std::istringstream in(std::regex_replace(text, std::regex(",\\s+"), ","));
  return {std::istream_iterator<std::string>(in), {}};
}

// Terminals broke the lines of --help in the middle of words.
TEST(HelpFormatter, FitsEveryTerminalAndBreaksNoWord) {
  for (const char* command : {"fetch", "serve"}) {
    const auto words = words_of(help_of(command, 1000));
    for (const std::size_t width : {80u, 100u}) {
      const std::string help = help_of(command, width);
      std::istringstream in(help);
      for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), width) << line;
      EXPECT_EQ(words_of(help), words);
    }
  }
}

TEST(HelpFormatter, ShowsDefaultsAndExclusionsInTheText) {
  const std::string help = help_of("fetch", 80);
  EXPECT_THAT(help, HasSubstr("-j, --concurrency N         Requests out at once (default 50)\n"));
  EXPECT_THAT(help, HasSubstr("(not with --verbose)"));
}

}  // namespace
