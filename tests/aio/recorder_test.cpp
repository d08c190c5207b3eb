#include "dspu/aio/recorder.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;

class Recorder : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  std::string text;
  recorder tape{[this](std::string_view line) { text += line; }};
  core::instant start = core::instant_of(sim.now());

  template <class P>
  void run(const P& p) {
    try {
      sim.run(p.observed_by(tape, "p").call([this] { return op(); }));
    } catch (const std::exception&) {
    }
  }
};

const basic_retry<manual_clock> again(
    {.max_attempts = 3, .strategy = backoff_strategy::constant, .base_delay = 2s, .jitter = jitter::none});

TEST_F(Recorder, KeepsACallWithItsAttemptsPausesAndRefusals) {
  basic_circuit_breaker<manual_clock> breaker{{.failure_threshold = 2, .timeout = 60s}};
  op.fails(1s);
  sim.run_for(5s);
  run(again | breaker);
  const auto t = read_trace(text);
  ASSERT_EQ(t.calls.size(), 1u);
  EXPECT_EQ(t.calls[0],
            (recorded_call{.start = start + 5s,
                           .pipeline = "p",
                           .how = ending_word::refused,
                           .took = 6s,
                           .attempts = {{ending_word::failure, 0s, 1s}, {ending_word::failure, 3s, 1s}},
                           .waits = {{"retry", 1s, 2s}, {"retry", 4s, 2s}},
                           .refusals = {{"circuit_breaker", "open", 6s}}}));
  ASSERT_EQ(t.states.size(), 1u);
  EXPECT_EQ(t.states[0], (recorded_state{start + 9s, "p", "open", "failures"}));
}

TEST_F(Recorder, KeepsWaitsInLines) {
  basic_rate_limiter<manual_clock> limiter{{.rate = 1, .capacity = 1}};
  op.returns(1);
  run(pipe(limiter));
  run(pipe(limiter));
  const auto t = read_trace(text);
  ASSERT_EQ(t.calls.size(), 2u);
  EXPECT_TRUE(t.calls[0].waits.empty());
  EXPECT_EQ(t.calls[1].waits, (std::vector<recorded_wait>{{"rate_limiter", 0s, 1s}}));
  EXPECT_EQ(t.calls[1].attempts.at(0).at, 1s);
}

TEST_F(Recorder, CutsAPauseThatWasCancelled) {
  op.fails();
  const auto p = pipe(again).observed_by(tape, "p");
  test::task t(sim, [](auto& pipeline, script& s) -> awaitable<void> {
    co_await pipeline.call([&s] { return s(); });
  }(p, op));
  sim.run_for(500ms);
  t.cancel();
  sim.run();
  const auto seen = read_trace(text);
  ASSERT_EQ(seen.calls.size(), 1u);
  EXPECT_EQ(seen.calls[0].how, ending_word::cancelled);
  EXPECT_EQ(seen.calls[0].waits.at(0).took, 500ms);
}

TEST_F(Recorder, KeepsCallsApartThatOverlap) {
  op.returns(1, 3s).fails(1s).returns(1, 1s);
  const auto p = pipe(again).observed_by(tape, "p");
  const auto one = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  sim.spawn(one());
  sim.spawn(one());
  sim.run();
  const auto t = read_trace(text);
  ASSERT_EQ(t.calls.size(), 2u);
  EXPECT_EQ(t.calls[0].attempts.size(), 1u);
  EXPECT_EQ(t.calls[1].attempts.size(), 2u);
  EXPECT_EQ(t.calls[0].took, 3s);
  EXPECT_EQ(t.calls[1].took, 4s);
}

TEST_F(Recorder, ForgetsCallsThatNeverEnd) {
  std::string kept;
  recorder small([&](std::string_view line) { kept += line; }, {.max_in_flight = 2});
  const std::exception_ptr none;
  const auto tell = [&](event_kind kind, std::uint64_t call) {
    small.on_event({.kind = kind,
                    .pipeline = "p",
                    .policy = {},
                    .reason = "success",
                    .state = {},
                    .at = start,
                    .call = call,
                    .attempt = 1,
                    .facts = {},
                    .error = none});
  };
  for (std::uint64_t call = 1; call <= 5; ++call) tell(event_kind::attempt_ended, call);
  EXPECT_EQ(small.lost(), 3u);
  for (std::uint64_t call = 4; call <= 5; ++call) tell(event_kind::call_ended, call);
  const auto t = read_trace(kept);
  ASSERT_EQ(t.calls.size(), 2u);
  EXPECT_EQ(t.calls[0].attempts.size(), 1u);
}

TEST_F(Recorder, CountsWhatItCouldNotWrite) {
  std::ostringstream stream;
  recorder to_stream(stream);
  EXPECT_EQ(stream.str(), "dspu-trace 1\n");
  stream.setstate(std::ios::badbit);
  op.returns(1);
  sim.run(pipe(again).observed_by(to_stream, "p").call([this] { return op(); }));
  EXPECT_EQ(to_stream.lost(), 1u);
}

TEST_F(Recorder, RefusesToWriteNowhere) {
  EXPECT_THROW(recorder(recorder::sink{}), std::invalid_argument);
  EXPECT_THROW(recorder(static_cast<std::FILE*>(nullptr)), std::invalid_argument);
  std::ostringstream stream;
  EXPECT_THROW(recorder(stream, {.max_in_flight = 0}), std::invalid_argument);
  stream.setstate(std::ios::badbit);
  EXPECT_THROW(recorder{stream}, std::runtime_error);
}

}  // namespace
}  // namespace dspu::aio
