// The breaker of each origin, with the program's defaults: for origins that are ill, not for those that are full.
#include "app/engine_run.hpp"
#include "dspu/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace {

using namespace dspu::app;
using namespace dspu::app::testing;
using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;

// As the program runs without any option, but always with the same random numbers.
struct default_run : run_of {
  default_run(std::vector<http_request> requests, fake_transport::script script)
      : run_of(std::move(requests), std::move(script)) {
    options = to_engine_options(fetch_options{});
    options.flow.seed = options.flow.scheduling.origin.seed = 7;
  }
  std::map<outcome, int> outcomes() const {
    std::map<outcome, int> counts;
    for (const auto& record : seen.records) ++counts[record.outcome];
    return counts;
  }
};

TEST(EngineBreaker, FailsTheRequestsOfADeadOriginSoonAndWithTheCause) {
  for (const auto kind : {transport_failure::connect, transport_failure::dns, transport_failure::tls}) {
    default_run run(urls("http://dead/", 1000), [kind](const http_request&, int) { return failing(kind); });
    run.run();
    EXPECT_LE(run.sim.elapsed(), 10s);
    EXPECT_EQ(run.outcomes().count(outcome::circuit_open), 0u);
    ASSERT_EQ(run.seen.records.size(), 1000u);
    for (const auto& record : run.seen.records) {
      EXPECT_EQ(record.outcome, run.seen.records.front().outcome);
      EXPECT_THAT(record.error, HasSubstr("scripted"));
    }
    EXPECT_LE(run.wire.notes.size(), 60u);
  }
}

TEST(EngineBreaker, FailsTheRequestsOfAnOriginThatHasNothingBut5xx) {
  for (const unsigned status : {500u, 502u, 503u}) {
    default_run run(urls("http://ill/", 1000), [status](const http_request&, int) { return reply{.status = status}; });
    run.run();
    EXPECT_LE(run.sim.elapsed(), status == 503 ? 2min : 10s) << status;
    EXPECT_EQ(run.outcomes()[outcome::http_error], 1000) << status;
  }
}

TEST(EngineBreaker, WaitsForAServerThatIsJustBeingStarted) {
  default_run run(urls("http://h/", 1000), [&run](const http_request&, int) {
    return run.sim.elapsed() < 2500ms ? reply{.latency = 100us, .failure = transport_failure::connect} : reply{};
  });
  run.run();
  EXPECT_EQ(run.engine->counts().ok, 1000u);
  EXPECT_LE(run.sim.elapsed(), 8s);
}

TEST(EngineBreaker, ComesBackSoonAfterAnOutage) {
  default_run run(urls("http://h/", 5000), [&run](const http_request&, int) {
    const bool down = run.sim.elapsed() >= 1s && run.sim.elapsed() < 6s;
    return down ? failing(transport_failure::reset) : reply{};
  });
  run.run();
  // 6.25 s of work and 5 s of outage; the breaker tries again after 1, 2 and 4 s.
  EXPECT_LE(run.sim.elapsed(), 15s);
  EXPECT_GE(run.engine->counts().ok, 4999u);
  // No more goes to an origin that is down than its breaker needs to know.
  std::size_t in_vain = 0;
  for (const auto& note : run.wire.notes) in_vain += note.at >= 1s && note.at < 6s ? 1 : 0;
  EXPECT_LE(in_vain, 40u);
}

TEST(EngineBreaker, StaysClosedWhile503ComesBesideAnswers) {
  int asked = 0;
  default_run run(urls("http://h/", 3000), [&](const http_request&, int) {
    return ++asked % 10 == 0 ? reply{} : reply{.status = 503};
  });
  run.run();
  EXPECT_THAT(run.seen.transitions, IsEmpty());
}

TEST(EngineBreaker, LosesNothingWhileNothingBut503ComesForAMinute) {
  default_run run(urls("http://h/", 2000), [&run](const http_request&, int) {
    const bool ill = run.sim.elapsed() >= 1s && run.sim.elapsed() < 61s;
    return ill ? reply{.status = 503} : reply{};
  });
  run.run();
  EXPECT_EQ(run.engine->counts().ok, 2000u);
  EXPECT_LE(run.sim.elapsed(), 3min);
  EXPECT_LE(run.wire.notes.size(), 2100u);
}

TEST(EngineBreaker, FindsAnOriginAgainThatItHadGivenUp) {
  // Three requests now, three in an hour: the first three find nobody, the others an answer.
  default_run run({}, [&run](const http_request&, int) {
    return run.sim.elapsed() < 30min ? failing(transport_failure::connect) : reply{};
  });
  halting_source source(30);
  run.engine.emplace(run.sim.get_executor(), run.options, source, run.wire, run.seen);
  run.run();
  EXPECT_EQ(run.outcomes()[outcome::connect], 30);
  EXPECT_EQ(run.outcomes()[outcome::ok], 30);
}

TEST(EngineBreaker, GivesUpAnOriginThatAdmitsNothing) {
  default_run run(urls("http://h/", 1000), [](const http_request&, int) { return reply{.status = 429}; });
  run.run();
  EXPECT_LE(run.sim.elapsed(), 6min);
  EXPECT_EQ(run.outcomes()[outcome::http_error], 1000);
  EXPECT_THAT(run.seen.records.back().error, HasSubstr("admitted nothing"));
  EXPECT_LE(run.wire.notes.size(), 200u);
}

}  // namespace
