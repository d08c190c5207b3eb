#include "dspu/aio/log_lines.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::manual_clock;

class LogLines : public ::testing::Test {
 protected:
  std::vector<std::string> lines;

  log_lines_options plain(severity at_least = severity::debug) {
    return {.at_least = at_least, .with_time = false};
  }
  log_lines::sink to_lines() {
    return [this](std::string_view text) { lines.emplace_back(text); };
  }

  event made_of(event_kind kind, std::string_view reason, std::span<const fact> facts = {}) {
    return {.kind = kind,
            .pipeline = pipeline,
            .policy = policy,
            .reason = reason,
            .state = {},
            .at = {},
            .call = 17,
            .attempt = 2,
            .facts = facts,
            .error = error};
  }
  std::string_view pipeline = "catalog";
  std::string_view policy = "retry";
  std::exception_ptr error;
};

TEST_F(LogLines, WritesOneLineAnEvent) {
  log_lines log(to_lines(), plain());
  const fact facts[] = {{"delay", 0.25}, {"attempt", 1}, {"budget", 1e-9}};
  log.on_event(made_of(event_kind::retry_scheduled, "backoff", facts));
  EXPECT_THAT(
      lines,
      ElementsAre("level=info event=retry_scheduled pipeline=catalog policy=retry reason=backoff call=17 "
                  "attempt=2 delay=0.25 attempt=1 budget=1e-09\n"));
}

TEST_F(LogLines, BeginsWithTheTimeInUtc) {
  auto options = plain();
  options.with_time = true;
  options.time = [] { return std::chrono::system_clock::time_point(1'000'000'000s + 1500us); };
  log_lines log(to_lines(), options);
  policy = {};
  log.on_event(made_of(event_kind::call_ended, "success"));
  EXPECT_THAT(lines,
              ElementsAre("time=2001-09-09T01:46:40.001500Z level=debug event=call_ended pipeline=catalog "
                          "reason=success call=17 attempt=2\n"));
}

TEST_F(LogLines, QuotesWhatIsNotPlain) {
  log_lines log(to_lines(), plain());
  pipeline = "a \"b\"\\\n\t\r\x01=\x7fü";
  policy = {};
  error = std::make_exception_ptr(std::runtime_error(""));
  log.on_event(made_of(event_kind::call_ended, "failure"));
  EXPECT_THAT(
      lines, ElementsAre("level=error event=call_ended pipeline=\"a \\\"b\\\"\\\\\\n\\t\\r\\u0001=\\u007fü\" "
                         "reason=failure call=17 attempt=2 error=\"\"\n"));
}

TEST_F(LogLines, CutsLongTextBetweenCharacters) {
  log_lines log(to_lines(), plain());
  std::string text(249, 'x');
  text += "ü";  // the 250th byte is the first half of it
  error = std::make_exception_ptr(std::runtime_error(text));
  log.on_event(made_of(event_kind::call_ended, "failure"));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], ::testing::EndsWith(" error=\"" + std::string(249, 'x') + "…\"\n"));
}

TEST_F(LogLines, LeavesOutWhatDoesNotFitAndSaysSo) {
  log_lines log(to_lines(), plain());
  const std::vector<fact> facts(500, fact{"seconds", 1.0 / 3});
  log.on_event(made_of(event_kind::waited, "tokens", facts));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_LE(lines[0].size(), 2048u);
  EXPECT_THAT(lines[0], ::testing::EndsWith(" seconds=0.3333333333333333 cut=true\n"));
}

TEST_F(LogLines, WritesErrorsThatAreNoExceptions) {
  log_lines log(to_lines(), plain());
  error = std::make_exception_ptr(42);
  log.on_event(made_of(event_kind::attempt_ended, "failure"));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], ::testing::EndsWith(" error=\"not a std::exception\"\n"));
}

TEST_F(LogLines, LeavesOutWhatIsNotAskedFor) {
  auto options = plain(severity::warning);
  options.kinds = {event_kind::refused, event_kind::call_ended};
  options.only = [](const event& e) { return e.reason != "queue_full"; };
  log_lines log(to_lines(), options);
  policy = {};
  log.on_event(made_of(event_kind::call_ended, "success"));  // not severe enough
  log.on_event(made_of(event_kind::timed_out, "expired"));   // another kind
  log.on_event(made_of(event_kind::refused, "queue_full"));  // not by `only`
  log.on_event(made_of(event_kind::refused, "deadline"));
  log.on_event(made_of(event_kind::call_ended, "timed_out"));
  EXPECT_THAT(
      lines,
      ElementsAre("level=warning event=refused pipeline=catalog reason=deadline call=17 attempt=2\n",
                  "level=error event=call_ended pipeline=catalog reason=timed_out call=17 attempt=2\n"));
}

TEST_F(LogLines, CountsWhatItCouldNotWriteAndNeverThrows) {
  log_lines log([](std::string_view) { throw std::runtime_error("disk full"); }, plain());
  log.on_event(made_of(event_kind::call_ended, "failure"));
  log.on_event(made_of(event_kind::call_ended, "failure"));
  EXPECT_EQ(log.lost(), 2u);

  std::ostringstream stream;
  log_lines to_stream(stream, plain());
  stream.setstate(std::ios::badbit);
  to_stream.on_event(made_of(event_kind::call_ended, "failure"));
  EXPECT_EQ(to_stream.lost(), 1u);
}

TEST_F(LogLines, WritesToFilesAndStreams) {
  policy = {};
  const std::string expected =
      "level=debug event=call_ended pipeline=catalog reason=success call=17 attempt=2\n";
  std::ostringstream stream;
  log_lines to_stream(stream, plain());
  to_stream.on_event(made_of(event_kind::call_ended, "success"));
  EXPECT_EQ(stream.str(), expected);

  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  log_lines to_file(file, plain());
  to_file.on_event(made_of(event_kind::call_ended, "success"));
  std::fclose(file);
  EXPECT_EQ(std::string(text, size), expected);
  std::free(text);
}

TEST_F(LogLines, RefusesToWriteNowhere) {
  EXPECT_THROW(log_lines(log_lines::sink{}), std::invalid_argument);
  EXPECT_THROW(log_lines(static_cast<std::FILE*>(nullptr)), std::invalid_argument);
}

TEST_F(LogLines, TellsAStoryInOrder) {
  testing::simulator sim;
  testing::script op;
  op.fails(1s);
  basic_circuit_breaker<manual_clock> breaker{{.failure_threshold = 2, .timeout = 60s}};
  const basic_retry<manual_clock> again{{.max_attempts = 3, .base_delay = 2s, .jitter = jitter::none}};
  log_lines log(to_lines(), plain(severity::information));
  try {
    sim.run((again | breaker).observed_by(log, "catalog").call([&] { return op(); }));
    ADD_FAILURE();
  } catch (const circuit_breaker_error&) {
  }
  ASSERT_EQ(lines.size(), 8u);
  for (auto& line : lines) line.erase(0, line.find("event="));
  const auto upto = [&](std::size_t i, std::string_view end) {
    return lines[i].substr(0, lines[i].find(end));
  };
  EXPECT_EQ(upto(0, " call="), "event=attempt_ended pipeline=catalog reason=failure");
  EXPECT_EQ(upto(1, " call="), "event=retry_scheduled pipeline=catalog policy=retry reason=backoff");
  EXPECT_EQ(upto(3, " call="),
            "event=state_changed pipeline=catalog policy=circuit_breaker reason=failures state=open");
  EXPECT_EQ(upto(5, " call="),
            "event=refused pipeline=catalog policy=circuit_breaker reason=open state=open");
  EXPECT_EQ(upto(6, " call="), "event=retry_gave_up pipeline=catalog policy=retry reason=attempts_exhausted");
  EXPECT_EQ(upto(7, " call="), "event=call_ended pipeline=catalog reason=refused");
}

}  // namespace
}  // namespace dspu::aio
