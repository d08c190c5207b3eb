#include "dspu/aio/trace.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;

const trace sample{
    .calls = {{.start = core::instant{10s},
               .pipeline = "the catalog: 100 %",
               .how = ending_word::refused,
               .took = 3s,
               .attempts = {{ending_word::failure, 0s, 1s}, {ending_word::timed_out, 1500ms, 1ns}},
               .waits = {{"rate_limiter", 0s, 0s}, {"retry", 1s, 500ms}},
               .refusals = {{"circuit_breaker", "open", 3s}}},
              {.start = core::instant{-1ns},
               .pipeline = "",
               .how = ending_word::cancelled,
               .took = 0s,
               .attempts = {},
               .waits = {},
               .refusals = {{"-", "", 0s}}}},
    .states = {{core::instant{11s}, "the catalog: 100 %", "open", "failures"}}};

constexpr std::string_view sample_text =
    "dspu-trace 1\n"
    "call 10000000000 the%20catalog%3a%20100%20%25 refused 3000000000 attempt:failure:0:1000000000 "
    "attempt:timed_out:1500000000:1 waited:rate_limiter:0:0 waited:retry:1000000000:500000000 "
    "refused:circuit_breaker:open:3000000000\n"
    "call -1 - cancelled 0 refused:%2d:-:0\n"
    "state 11000000000 the%20catalog%3a%20100%20%25 open failures\n";

TEST(Trace, IsWrittenAsDocumented) { EXPECT_EQ(to_text(sample), sample_text); }

TEST(Trace, IsReadAsWritten) {
  EXPECT_EQ(read_trace(sample_text), sample);
  std::istringstream stream{std::string(sample_text)};
  EXPECT_EQ(read_trace(stream), sample);
}

TEST(Trace, LeavesOutALineThatWasNotFinished) {
  for (std::size_t cut = sample_text.rfind("state") + 1; cut < sample_text.size(); ++cut) {
    const auto t = read_trace(sample_text.substr(0, cut));
    EXPECT_TRUE(t.torn);
    EXPECT_EQ(t.calls, sample.calls);
    EXPECT_TRUE(t.states.empty());
  }
}

void expect_refused(std::string_view line, std::size_t number, std::string_view message) {
  const std::string text = std::string(trace_first_line) + "call 1 p success 1\n" + std::string(line) + "\n";
  try {
    read_trace(text);
    ADD_FAILURE() << "accepted: " << line;
  } catch (const trace_error& e) {
    EXPECT_EQ(e.line(), number) << line;
    EXPECT_EQ(e.what(), "trace, line " + std::to_string(number) + ": " + std::string(message));
  }
}

TEST(Trace, NamesTheLineAndTheValueThatItCannotRead) {
  expect_refused("", 3, "a line's first word is \"\", must be call or state");
  expect_refused("cal 1 p success 1", 3, "a line's first word is \"cal\", must be call or state");
  expect_refused("call x p success 1", 3, "a call's start is \"x\", must be a whole number of nanoseconds");
  expect_refused("call 1.5 p success 1", 3,
                 "a call's start is \"1.5\", must be a whole number of nanoseconds");
  expect_refused("call 99999999999999999999 p success 1", 3,
                 "a call's start is \"99999999999999999999\", must be a whole number of nanoseconds");
  expect_refused(
      "call 1 p good 1", 3,
      "a call's outcome is \"good\", must be success, failure, ignored, refused, timed_out or cancelled");
  expect_refused("call 1 p success -1", 3,
                 "a call's time is \"-1\", must be a whole number of nanoseconds, at least 0");
  expect_refused("call 1 p success", 3,
                 "a call's time is \"\", must be a whole number of nanoseconds, at least 0");
  expect_refused("call 1 p%2 success 1", 3,
                 "a call's pipeline is \"p%2\", must be with two hexadecimal digits after each %");
  expect_refused("call 1  success 1", 3, "a call's pipeline is \"\", must be a word, or - for none");
  expect_refused("call 1 p success 1 ", 3, "the last word is \"\", must be not empty");
  expect_refused("call 1 p success 1 tried:success:0:1", 3,
                 "a step is \"tried\", must be attempt, waited or refused");
  expect_refused("call 1 p success 1 attempt:success:0:1:2", 3,
                 "what follows a step is \"2\", must be nothing");
  expect_refused("call 1 p success 1 attempt:success:0", 3,
                 "an attempt's time is \"\", must be a whole number of nanoseconds, at least 0");
  expect_refused("state 1 p open", 3, "a state's reason is \"\", must be a word, or - for none");
  expect_refused("state 1 p open failures more", 3, "what follows a state is \"more\", must be nothing");
}

TEST(Trace, RefusesOtherVersionsAndFiles) {
  EXPECT_THROW(read_trace(""), trace_error);
  EXPECT_THROW(read_trace("dspu-trace 2\n"), trace_error);
  EXPECT_THROW(read_trace("{\"url\": 1}\n"), trace_error);
}

TEST(TraceSummary, CountsAndMeasures) {
  trace t = sample;
  t.calls.push_back({.start = core::instant{20s},
                     .pipeline = "q",
                     .how = ending_word::success,
                     .took = 5s,
                     .attempts = {{ending_word::success, 0s, 1s}},
                     .waits = {{"rate_limiter", 0s, 2s}, {"bulkhead", 2s, 1s}, {"retry", 3s, 1s}},
                     .refusals = {}});
  t.states.push_back({core::instant{13s}, "the catalog: 100 %", "half_open", "timeout_over"});
  t.states.push_back({core::instant{14s}, "q", "open", "failures"});
  const auto s = summarize(t);
  EXPECT_EQ(s.calls, 3);
  EXPECT_EQ(s.succeeded, 1);
  EXPECT_EQ(s.refused, 1);
  EXPECT_EQ(s.cancelled, 1);
  EXPECT_EQ(s.failed + s.ignored + s.timed_out, 0);
  EXPECT_EQ(s.attempts, 3);
  EXPECT_EQ(s.failed_attempts, 2);
  EXPECT_EQ(s.refusals, 2);
  EXPECT_EQ(s.opened, 2);
  EXPECT_EQ(s.open_for, 2s + 11s);  // q is open from 14 s to the end of the last call
  EXPECT_EQ(s.waited_p50, 0s);
  EXPECT_EQ(s.waited_p99, 3s);
  EXPECT_EQ(s.took_p50, 3s);
  EXPECT_EQ(s.took_p99, 5s);
}

TEST(TraceSummary, TakesNearestRanks) {
  trace t;
  for (int i = 1; i <= 100; ++i) {
    t.calls.push_back({.start = {},
                       .pipeline = "p",
                       .how = {},
                       .took = i * 1s,
                       .attempts = {},
                       .waits = {},
                       .refusals = {}});
  }
  EXPECT_EQ(summarize(t).took_p50, 50s);
  EXPECT_EQ(summarize(t).took_p99, 99s);
  EXPECT_EQ(summarize({}).took_p99, 0s);
}

TEST(TraceSummary, IsPrintedAsATable) {
  const auto s = summarize(sample);
  EXPECT_EQ(compare(s, {}).substr(0, 141),
            "                        recorded      replayed\n"
            "calls                          2             0\n"
            "  succeeded                    0             0\n");
  EXPECT_EQ(to_text(s).substr(0, 33), "calls                          2\n");
}

TEST(Trace, IsTakenApartByPipeline) {
  const auto one = of_pipeline(sample, "the catalog: 100 %");
  ASSERT_EQ(one.calls.size(), 1u);
  EXPECT_EQ(one.calls[0], sample.calls[0]);
  EXPECT_EQ(one.states, sample.states);
  EXPECT_TRUE(of_pipeline(sample, "other").calls.empty());
}

}  // namespace
}  // namespace dspu::aio
