#include "app/engine_run.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using namespace dspu::app::testing;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;

namespace core = dspu::core;

// Where nobody takes the results, what is out comes to its end and nothing more is sent.
TEST(Engine, SendsNothingWhileItIsPaused) {
  run_of run(urls("http://h/", 100), [](const http_request&, int) { return reply{.latency = 10ms}; });
  run.options.flow.scheduling.concurrency = 4;
  test_engine& engine = run.make();
  run.seen.on_each = [&](const result_record&) { engine.pause(run.seen.records.size() >= 7); };
  run.sim.at(60s, [&] {
    EXPECT_THAT(run.seen.records, SizeIs(Le(12u)));
    EXPECT_EQ(run.wire.in_flight(), 0u);
    run.seen.on_each = nullptr;
    engine.pause(false);
  });
  run.run();
  EXPECT_THAT(run.seen.records, SizeIs(100u));
  EXPECT_EQ(engine.counts().ok, 100u);
}

TEST(Engine, EndsWhenItIsStoppedWhileItIsPaused) {
  run_of run(urls("http://h/", 100), [](const http_request&, int) { return reply{.latency = 10ms}; });
  run.options.flow.scheduling.concurrency = 4;
  test_engine& engine = run.make();
  run.seen.on_each = [&](const result_record&) { engine.pause(true); };
  run.sim.at(1s, [&] { engine.stop(10s); });
  run.run();
  EXPECT_THAT(run.seen.records, SizeIs(4u));
  EXPECT_EQ(run.sim.elapsed(), 1s);
}

TEST(Engine, FinishesEveryRequestOnce) {
  run_of run(urls("http://h/", 5000), [](const http_request&, int) { return reply{}; });
  run.run();
  std::set<std::uint64_t> numbers;
  for (const auto& record : run.seen.records) {
    EXPECT_EQ(record.outcome, outcome::ok);
    EXPECT_EQ(record.attempts.size(), 1u);
    EXPECT_EQ(record.bytes, 4u);
    numbers.insert(record.n);
  }
  EXPECT_EQ(numbers.size(), 5000u);
  EXPECT_THAT(run.seen.records, SizeIs(5000));
  EXPECT_EQ(run.engine->counts().ok, 5000u);
}

TEST(Engine, EndsAtOnceWithoutInput) {
  run_of run({}, [](const http_request&, int) { return reply{}; });
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 0s);
}

TEST(Engine, KeepsBothConcurrencyLimits) {
  auto requests = urls("http://a/", 40);
  for (auto& request : urls("http://b/", 40)) requests.push_back(request);
  run_of run(requests, [](const http_request&, int) { return reply{.latency = 1s}; });
  run.options.flow.scheduling.concurrency = 10;
  run.options.flow.scheduling.origin.concurrency = 8;
  run.run();
  EXPECT_EQ(run.wire.most_in_flight(), 10u);
  EXPECT_EQ(run.sim.elapsed(), 8s);
  EXPECT_EQ(run.seen.of("http://a/40").attempts[0].why, wait_reason::concurrency);
}

TEST(Engine, KeepsTheHostRateExactly) {
  run_of run(urls("http://h/", 50), [](const http_request&, int) { return reply{.latency = 1ms}; });
  run.options.flow.scheduling.origin.rate = rate_spec{10, 1s, 5.0};
  run.run();
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(run.wire.notes[i].at, (i < 5 ? 0 : i - 4) * 100ms) << i;
  }
  EXPECT_EQ(run.seen.records.back().attempts[0].why, wait_reason::rate_limit);
  EXPECT_EQ(run.seen.records.back().limiter_wait, 4500ms);
}

TEST(Engine, KeepsTheRateOfTheWholeRunOverAllHosts) {
  std::vector<http_request> requests;
  for (int i = 0; i < 30; ++i) requests.push_back(request_to("http://h" + std::to_string(i) + "/"));
  run_of run(requests, [](const http_request&, int) { return reply{.latency = 1ms}; });
  run.options.flow.scheduling.rate = rate_spec{10, 1s, 1.0};
  run.run();
  for (std::size_t i = 0; i < 30; ++i) EXPECT_EQ(run.wire.notes[i].at, i * 100ms) << i;
  EXPECT_EQ(run.seen.records.back().limiter_wait, 2900ms);
}

TEST(Engine, CountsRetriesAgainstTheRate) {
  run_of run(urls("http://h/", 4),
             [](const http_request&, int nth) { return nth == 1 ? reply{.status = 500} : reply{}; });
  run.options.flow.scheduling.origin.rate = rate_spec{1, 1s, 1.0};
  run.run();
  ASSERT_THAT(run.wire.notes, SizeIs(8));
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(run.wire.notes[i].at, i * 1s) << i;
}

TEST(Engine, RetriesWithBackoffAndTellsEveryAttempt) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.status = 503} : nth == 2 ? failing(transport_failure::reset) : reply{};
  });
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 1010ms, 3020ms));
  const auto& record = run.seen.records.at(0);
  EXPECT_EQ(record.outcome, outcome::ok);
  ASSERT_THAT(record.attempts, SizeIs(3));
  EXPECT_EQ(record.attempts[0].status, 503u);
  EXPECT_EQ(record.attempts[0].why, wait_reason::none);
  EXPECT_EQ(record.attempts[1].error, "reset: scripted");
  EXPECT_EQ(record.attempts[1].wait, 1s);
  EXPECT_EQ(record.attempts[1].why, wait_reason::backoff);
  EXPECT_EQ(record.attempts[2].start, 3020ms);
  EXPECT_EQ(record.attempts[2].duration, 10ms);
  EXPECT_EQ(record.total, 3030ms);
  EXPECT_EQ(run.seen.retries, 2);
}

TEST(Engine, GivesUpAfterTheLastAttempt) {
  run_of run(urls("http://h/", 1), [](const http_request&, int) { return reply{.status = 500}; });
  run.run();
  EXPECT_THAT(run.wire.notes, SizeIs(3));
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::http_error);
  EXPECT_EQ(run.seen.records.at(0).status, 500u);
}

TEST(Engine, TakesA404ForAnAnswer) {
  run_of run(urls("http://h/", 20), [](const http_request&, int) { return reply{.status = 404}; });
  run.run();
  EXPECT_THAT(run.wire.notes, SizeIs(20));
  EXPECT_THAT(run.seen.transitions, IsEmpty());
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::http_error);
}

TEST(Engine, RepeatsAPostOnlyIfThatIsSafe) {
  const auto post = [](const std::string& path) { return request_to("http://h/" + path, "POST"); };
  http_request keyed = post("keyed");
  keyed.headers.emplace_back("idempotency-key", "k1");
  run_of run({post("reset"), post("connect"), keyed}, [](const http_request& request, int) {
    return failing(request.url == "http://h/connect" ? transport_failure::connect : transport_failure::reset);
  });
  run.options.flow.scheduling.origin.breaker.reset();
  run.run();
  EXPECT_THAT(run.wire.times("http://h/reset"), SizeIs(1));
  EXPECT_THAT(run.wire.times("http://h/connect"), SizeIs(3));
  EXPECT_THAT(run.wire.times("http://h/keyed"), SizeIs(3));
}

// Three files of 10 MB at 300 kB/s: none was ever whole.
TEST(Engine, DoesNotCutABodyThatComesIn) {
  run_of run(urls("http://h/", 1), [](const http_request&, int) { return reply{.latency = 2h}; });
  run.wire.gives_body_first = true;
  run.options.flow.timeout = core::duration::max();
  run.options.flow.scheduling.deadline = 5min;
  run.run();
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::ok);
  EXPECT_EQ(run.sim.elapsed(), 2h);
}

TEST(Engine, WaitsForNoAnswerBeyondTheDeadline) {
  run_of run(urls("http://h/", 1), [](const http_request&, int) { return reply{.latency = 2h}; });
  run.options.flow.timeout = core::duration::max();
  run.options.flow.scheduling.deadline = 5min;
  run.run();
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::deadline);
  EXPECT_EQ(run.sim.elapsed(), 5min);
}

TEST(Engine, SaysHowFarAnAttemptHadComeThatItCut) {
  run_of run(urls("http://h/", 1), [](const http_request&, int) { return reply{.latency = 2h}; });
  run.wire.gives_body_first = true;
  run.options.flow.plan = core::retry_plan(1, core::backoff_options{}, 5min);
  run.run();
  const auto& record = run.seen.records.at(0);
  EXPECT_EQ(record.outcome, outcome::timeout);
  EXPECT_EQ(record.status, 200u);
  EXPECT_EQ(record.bytes, 4u);
  EXPECT_THAT(record.error, HasSubstr("not all of the answer within 30s (--timeout)"));
}

TEST(Engine, GivesAnAttemptItsTimeAndNoMore) {
  run_of run(urls("http://h/", 1),
             [](const http_request&, int nth) { return reply{.latency = nth == 3 ? 29s : 31s}; });
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 31s, 63s));
  const auto& record = run.seen.records.at(0);
  EXPECT_EQ(record.outcome, outcome::ok);
  EXPECT_THAT(record.attempts[0].error, HasSubstr("timeout"));
  EXPECT_EQ(record.attempts[0].duration, 30s);
}

TEST(Engine, EndsARequestAtItsDeadline) {
  run_of run(urls("http://h/", 1), [](const http_request&, int) { return reply{.latency = 1h}; });
  run.options.flow.scheduling.deadline = 40s;
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 40s);
  const auto& record = run.seen.records.at(0);
  EXPECT_EQ(record.outcome, outcome::deadline);
  ASSERT_THAT(record.attempts, SizeIs(2));
  EXPECT_EQ(record.attempts[1].duration, 9s);
}

TEST(Engine, DoesNotWaitForAnAttemptThatTheDeadlineForbids) {
  run_of run(urls("http://h/", 1), [](const http_request&, int) { return reply{.status = 503}; });
  run.options.flow.scheduling.deadline = 2s;
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 1020ms);
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::deadline);
  EXPECT_EQ(run.seen.records.at(0).status, 503u);
}

TEST(Engine, DoesNotCountTheQueueAgainstTheDeadline) {
  run_of run(urls("http://h/", 20), [](const http_request&, int) { return reply{}; });
  run.options.flow.scheduling.origin.rate = rate_spec{1, 1s, 1.0};
  run.options.flow.scheduling.deadline = 2s;
  run.run();
  EXPECT_EQ(run.engine->counts().ok, 20u);
}

TEST(Engine, HoldsAllRequestsToTheOriginForRetryAfter) {
  auto requests = urls("http://limited/", 5);
  for (auto& request : urls("http://other/", 5)) requests.push_back(request);
  run_of run(requests, [](const http_request& request, int nth) {
    if (request.url == "http://limited/1" && nth == 1) {
      return reply{.status = 429, .headers = retry_after_header("42")};
    }
    return reply{.latency = 20ms};
  });
  run.options.flow.scheduling.origin.concurrency = 2;
  run.run();
  EXPECT_THAT(run.seen.holds, ElementsAre(std::pair<std::string, core::duration>("http://limited", 42s)));
  EXPECT_THAT(run.wire.times("http://limited/1"), ElementsAre(0s, 42010ms));
  // The success of a request that was out already does not end the hold.
  EXPECT_THAT(run.wire.times("http://limited/2"), ElementsAre(0s));
  for (const char* url : {"http://limited/3", "http://limited/4", "http://limited/5"}) {
    EXPECT_THAT(run.wire.times(url), Each(Ge(42010ms))) << url;
  }
  for (int i = 1; i <= 5; ++i)
    EXPECT_THAT(run.wire.times("http://other/" + std::to_string(i)), Each(Le(100ms)));
  EXPECT_EQ(run.seen.of("http://limited/1").attempts[1].why, wait_reason::retry_after);
  EXPECT_EQ(run.seen.of("http://limited/1").attempts[1].wait, 42s);
  EXPECT_EQ(run.engine->counts().ok, 10u);
}

TEST(Engine, ReleasesAHoldThroughTheLimiter) {
  run_of run(urls("http://h/", 10), [](const http_request&, int nth) {
    return nth == 1 ? reply{.status = 429, .headers = retry_after_header("10")} : reply{};
  });
  run.options.flow.scheduling.origin.rate = rate_spec{10, 1s, 1.0};
  run.run();
  std::vector<std::chrono::nanoseconds> after;
  for (const auto& note : run.wire.notes) {
    if (note.at >= 10s) after.push_back(note.at);
  }
  for (std::size_t i = 1; i < after.size(); ++i) EXPECT_GE(after[i] - after[i - 1], 100ms);
  EXPECT_EQ(run.engine->counts().ok, 10u);
}

TEST(Engine, KeepsTheLongerOfTwoHolds) {
  run_of run(urls("http://h/", 3), [](const http_request& request, int nth) {
    if (nth > 1 || request.url == "http://h/3") return reply{};
    return reply{.latency = request.url == "http://h/1" ? 10ms : 20ms,
                 .status = 503,
                 .headers = retry_after_header(request.url == "http://h/1" ? "60" : "5")};
  });
  run.options.flow.scheduling.origin.concurrency = 2;
  run.run();
  EXPECT_THAT(run.wire.times("http://h/2"), ElementsAre(0s, 60010ms));
  EXPECT_THAT(run.wire.times("http://h/3"), ElementsAre(60020ms));
}

TEST(Engine, FailsAtOnceWhereRetryAfterIsTooLong) {
  run_of run(urls("http://h/", 5), [](const http_request&, int) {
    return reply{.status = 429, .headers = retry_after_header("3600")};
  });
  run.options.flow.scheduling.origin.concurrency = 1;
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 10ms);
  EXPECT_THAT(run.wire.notes, SizeIs(1));
  ASSERT_THAT(run.seen.records, SizeIs(5));
  for (const auto& record : run.seen.records) EXPECT_EQ(record.outcome, outcome::retry_after_too_long);
}

TEST(Engine, IgnoresARetryAfterThatIsNonsense) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.status = 503, .headers = retry_after_header("-5")} : reply{};
  });
  run.run();
  EXPECT_THAT(run.seen.holds, IsEmpty());
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 1010ms));
}

// curl's --parallel --retry forgot the last sleeping retry once no transfer was running.
TEST(Engine, WakesForTheLastRetryWhenNothingElseRuns) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth < 3 ? failing(transport_failure::connect) : reply{};
  });
  run.run();
  EXPECT_EQ(run.engine->counts().ok, 1u);
}

TEST(Engine, ParksTheRequestsOfAnOpenOriginUntilItCloses) {
  run_of run(urls("http://h/", 200), [&run](const http_request&, int) {
    return run.sim.elapsed() < 20s ? failing(transport_failure::connect) : reply{};
  });
  run.options.flow.scheduling.origin.concurrency = 8;
  run.options.flow.plan = core::retry_plan(10, core::backoff_options{.jitter = core::jitter::none}, 5min);
  run.run();
  EXPECT_EQ(run.engine->counts().ok, 200u);
  EXPECT_EQ(run.seen.transitions.front().second, core::circuit_state::open);
  EXPECT_EQ(run.seen.transitions.back().second, core::circuit_state::closed);
  EXPECT_EQ(run.seen.of("http://h/200").attempts[0].why, wait_reason::circuit_open);
  // 60 s after it opened, with nothing sent meanwhile.
  for (const auto& note : run.wire.notes) EXPECT_THAT(note.at, ::testing::AnyOf(Le(1s), Ge(60s)));
}

TEST(Engine, FailsParkedRequestsAtTheirDeadline) {
  run_of run(urls("http://h/", 50),
             [](const http_request&, int) { return failing(transport_failure::connect); });
  run.options.flow.scheduling.origin.concurrency = 5;
  run.options.flow.scheduling.deadline = 30s;
  run.run();
  std::map<outcome, int> outcomes;
  for (const auto& record : run.seen.records) ++outcomes[record.outcome];
  EXPECT_EQ(outcomes[outcome::circuit_open], 50);
  EXPECT_THAT(run.wire.notes, SizeIs(5));
  EXPECT_EQ(run.sim.elapsed(), 30010ms);
}

TEST(Engine, LetsADeadHostCostTheOthersNothing) {
  std::vector<http_request> requests;
  for (int i = 0; i < 2000; ++i) {
    requests.push_back(request_to("http://host" + std::to_string(i % 20) + "/" + std::to_string(i)));
  }
  const auto last_of_the_others = [&](bool dead) {
    run_of run(requests, [dead](const http_request& request, int) {
      const bool is_dead = dead && request.url.starts_with("http://host7/");
      return is_dead ? reply{.latency = 5s, .failure = transport_failure::connect} : reply{.latency = 100ms};
    });
    run.options.flow.scheduling.concurrency = 50;
    run.options.flow.scheduling.origin.concurrency = 8;
    run.options.flow.scheduling.deadline = 5min;
    std::chrono::nanoseconds last{};
    run.seen.on_each = [&](const result_record& record) {
      if (!record.url.starts_with("http://host7/")) last = run.sim.elapsed();
    };
    run.run();
    EXPECT_THAT(run.seen.records, SizeIs(2000));
    return last;
  };
  const auto without = last_of_the_others(false);
  const auto with = last_of_the_others(true);
  // The dead host's eight attempts occupy eight of the fifty places for five seconds, once.
  EXPECT_LE(with, without + 1s);
}

TEST(Engine, FollowsRedirectsUnderTheLimitsOfTheirOwnOrigin) {
  run_of run(urls("http://a/", 3), [](const http_request& request, int) {
    if (request.url.starts_with("http://a/")) {
      return reply{.status = 302, .headers = {{"Location", "http://b/" + request.url.substr(9)}}};
    }
    return reply{.body = "landed"};
  });
  run.options.flow.scheduling.origin.rate = rate_spec{1, 1s, 1.0};
  run.run();
  EXPECT_THAT(run.wire.times("http://b/1"), ElementsAre(10ms));
  EXPECT_THAT(run.wire.times("http://b/2"), ElementsAre(1010ms));
  const auto& record = run.seen.of("http://a/3");
  EXPECT_EQ(record.outcome, outcome::ok);
  EXPECT_EQ(record.final_url, "http://b/3");
  EXPECT_EQ(record.bytes, 6u);
  EXPECT_THAT(record.attempts, SizeIs(2));
}

TEST(Engine, EndsAChainOfRedirects) {
  run_of run(urls("http://a/", 1), [](const http_request& request, int) {
    return reply{.status = 301, .headers = {{"Location", request.url + "x"}}};
  });
  run.options.flow.max_redirects = 4;
  run.run();
  EXPECT_THAT(run.wire.notes, SizeIs(5));
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::http_error);
  EXPECT_THAT(run.seen.records.at(0).error, HasSubstr("more than 4 redirects"));
}

TEST(Engine, ReportsARedirectToNowhere) {
  run_of run(urls("http://a/", 1), [](const http_request&, int) {
    return reply{.status = 301, .headers = {{"Location", "ftp://b/"}}};
  });
  run.run();
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::http_error);
  EXPECT_THAT(run.seen.records.at(0).error, Not(IsEmpty()));
}

// A 302 without a Location, a 300 and a 305 counted as ok.
TEST(Engine, CountsARedirectThatCannotBeFollowedAsAFailure) {
  run_of run({request_to("http://a/302"), request_to("http://a/300"), request_to("http://a/305"),
              request_to("http://a/304")},
             [](const http_request& request, int) {
               return reply{.status = static_cast<unsigned>(std::stoul(request.url.substr(9)))};
             });
  run.run();
  EXPECT_EQ(run.seen.of("http://a/302").outcome, outcome::http_error);
  EXPECT_THAT(run.seen.of("http://a/302").error, HasSubstr("no Location"));
  EXPECT_EQ(run.seen.of("http://a/300").outcome, outcome::http_error);
  EXPECT_EQ(run.seen.of("http://a/305").outcome, outcome::http_error);
  EXPECT_EQ(run.seen.of("http://a/304").outcome, outcome::ok);
}

TEST(Engine, TakesARedirectForAnAnswerIfItIsToFollowNone) {
  run_of run(urls("http://a/", 1), [](const http_request&, int) { return reply{.status = 302}; });
  run.options.flow.max_redirects = 0;
  run.run();
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::ok);
  EXPECT_EQ(run.seen.records.at(0).status, 302u);
}

TEST(Engine, ReportsInvalidInputAndGoesOn) {
  run_of run({request_to("http://h/1"), request_to(""), request_to("http://h/3")},
             [](const http_request&, int) { return reply{}; });
  run.run();
  EXPECT_THAT(run.seen.records, SizeIs(3));
  EXPECT_EQ(run.seen.of("").outcome, outcome::invalid_input);
  EXPECT_EQ(run.engine->counts().ok, 2u);
  EXPECT_EQ(run.engine->counts().failed, 1u);
}

TEST(Engine, ReadsNoFurtherAheadThanAllowed) {
  run_of run(urls("http://h/", 1000), [](const http_request&, int) { return reply{.latency = 1s}; });
  run.options.look_ahead = 100;
  run.options.flow.scheduling.concurrency = 10;
  std::size_t furthest = 0;
  run.seen.on_each = [&](const result_record&) {
    furthest = std::max(furthest, run.source.taken() - run.seen.records.size());
  };
  run.run();
  EXPECT_THAT(run.seen.records, SizeIs(1000));
  EXPECT_LE(furthest, 101u);
}

TEST(Engine, ReadsOnWhileAPlaceIsFree) {
  // 600 for an origin that bears one at a time, then 100 for another: with nine places free, those are found.
  auto requests = urls("http://slow/", 600);
  for (auto& request : urls("http://quick/", 100)) requests.push_back(request);
  run_of run(requests, [](const http_request& request, int) {
    return reply{.latency = request.url.starts_with("http://slow/") ? 1s : 10ms};
  });
  run.options.flow.scheduling.concurrency = 10;
  run.options.flow.scheduling.origin.concurrency = 1;
  run.run();
  EXPECT_EQ(run.wire.times("http://quick/100").at(0), 990ms);
}

TEST(Engine, ReadsLittleAheadWhileAllPlacesAreTaken) {
  run_of run(urls("http://h/", 2000), [](const http_request&, int) { return reply{}; });
  run.options.flow.scheduling.concurrency = 10;
  std::size_t furthest = 0;
  run.seen.on_each = [&](const result_record&) {
    furthest = std::max(furthest, run.source.taken() - run.seen.records.size());
  };
  run.run();
  EXPECT_THAT(run.seen.records, SizeIs(2000));
  EXPECT_LE(furthest, 600u);
}

TEST(Engine, DrainsWhenStopped) {
  run_of run(urls("http://h/", 1000), [](const http_request&, int) { return reply{.latency = 1s}; });
  run.options.flow.scheduling.concurrency = 10;
  run.make();
  run.sim.at(2500ms, [&] { run.engine->stop(10s); });
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 3s);
  EXPECT_EQ(run.engine->counts().ok, 30u);
  EXPECT_EQ(run.engine->counts().cancelled, 0u);
  EXPECT_THAT(run.wire.notes, SizeIs(30));
}

TEST(Engine, CancelsWhatIsOutWhenTheGraceIsOver) {
  run_of run(urls("http://h/", 30), [](const http_request&, int) { return reply{.latency = 20s}; });
  run.options.flow.scheduling.concurrency = 10;
  run.make();
  run.sim.at(1s, [&] { run.engine->stop(3s); });
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 4s);
  EXPECT_EQ(run.engine->counts().cancelled, 10u);
  EXPECT_EQ(run.engine->counts().unsent, 20u);
  ASSERT_THAT(run.seen.records, SizeIs(10));
  EXPECT_EQ(run.seen.records[0].outcome, outcome::cancelled);
}

TEST(Engine, CancelsAtOnceWhenStoppedTwice) {
  run_of run(urls("http://h/", 30), [](const http_request&, int) { return reply{.latency = 20s}; });
  run.make();
  run.sim.at(1s, [&] { run.engine->stop(10s); });
  run.sim.at(2s, [&] { run.engine->stop(0s); });
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 2s);
}

TEST(Engine, DoesNotRetryWhileDraining) {
  run_of run(urls("http://h/", 1),
             [](const http_request&, int) { return reply{.latency = 2s, .status = 503}; });
  run.make();
  run.sim.at(1s, [&] { run.engine->stop(100s); });
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 2s);
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::cancelled);
}

TEST(Engine, StopsWhenTheTimeIsUp) {
  run_of run(urls("http://h/", 1000), [](const http_request&, int) { return reply{.latency = 1s}; });
  run.options.flow.scheduling.concurrency = 10;
  run.options.max_time = 5500ms;
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 5500ms);
  EXPECT_TRUE(run.engine->out_of_time());
  EXPECT_EQ(run.engine->counts().ok, 50u);
  EXPECT_EQ(run.engine->counts().cancelled, 10u);
}

TEST(Engine, EndsWithTheErrorOfWhoeverKeepsTheResults) {
  run_of run(urls("http://h/", 100), [](const http_request&, int) { return reply{.latency = 1s}; });
  run.options.flow.scheduling.concurrency = 10;
  run.seen.on_each = [&](const result_record&) {
    if (run.seen.records.size() == 15) throw io_error("disk full");
  };
  EXPECT_THROW(run.run(), io_error);
  EXPECT_THAT(run.seen.records, SizeIs(15));
  EXPECT_EQ(run.wire.in_flight(), 0u);
}

TEST(Engine, KeepsResultsByTheTurn) {
  run_of run(urls("http://h/", 100), [](const http_request&, int) { return reply{.latency = 1s}; });
  run.options.flow.scheduling.concurrency = 10;
  std::vector<std::size_t> unkept;
  run.seen.on_each_turn = [&] {
    if (run.seen.records.size() > run.seen.kept) unkept.push_back(run.seen.records.size() - run.seen.kept);
  };
  run.run();
  EXPECT_EQ(run.seen.kept, 100u);
  EXPECT_THAT(unkept, AllOf(SizeIs(10), Each(10u)));
}

TEST(Engine, EndsIfATurnsResultsCannotBeKept) {
  run_of run(urls("http://h/", 100), [](const http_request&, int) { return reply{.latency = 1s}; });
  run.options.flow.scheduling.concurrency = 10;
  run.seen.on_each_turn = [&] {
    if (run.seen.records.size() >= 20) throw io_error("disk full");
  };
  EXPECT_THROW(run.run(), io_error);
  EXPECT_THAT(run.seen.records, SizeIs(20));
  EXPECT_EQ(run.wire.in_flight(), 0u);
}

TEST(Engine, SendsWhatItHasWhileItWaitsForInput) {
  run_of run({}, [](const http_request&, int) { return reply{}; });
  halting_source source;
  run.engine.emplace(run.sim.get_executor(), run.options, source, run.wire, run.seen);
  run.run();
  ASSERT_THAT(run.wire.notes, SizeIs(6));
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(run.wire.notes[i].at, i < 3 ? 0h : 1h) << i;
}

dspu::core::retry_budget_options budget_of(double share, double floor) {
  return {.ttl = 60s, .min_retries_per_second = floor, .retries_per_call = share};
}

TEST(Engine, KeepsToTheRetryBudgetOfEachOrigin) {
  auto requests = urls("http://down/", 100);
  for (auto& request : urls("http://well/", 50)) requests.push_back(request);
  run_of run(requests, [](const http_request& request, int nth) {
    const bool fails = request.url.starts_with("http://down/") || (nth == 1 && request.url.ends_with("5"));
    return fails ? reply{.status = 503} : reply{};
  });
  run.options.flow.scheduling.origin.breaker.reset();
  run.options.flow.scheduling.origin.retry_budget = budget_of(0.2, 0);
  run.run();
  std::size_t to_down = 0;
  for (const auto& note : run.wire.notes) to_down += note.url.starts_with("http://down/") ? 1 : 0;
  EXPECT_EQ(to_down, 120u);
  EXPECT_EQ(run.engine->counts().ok, 50u);
  EXPECT_EQ(run.engine->counts().retries, 25u);
  EXPECT_EQ(run.engine->counts().retries_refused, 100u);
  const auto& refused = run.seen.of("http://down/100");
  EXPECT_TRUE(refused.retry_refused);
  EXPECT_EQ(refused.outcome, outcome::http_error);
  EXPECT_EQ(refused.status, 503u);
  EXPECT_THAT(refused.error, HasSubstr("--retry-budget"));
  EXPECT_FALSE(run.seen.of("http://well/5").retry_refused);
}

TEST(Engine, KeepsTheRealErrorOfARetryThatTheBudgetRefuses) {
  run_of run(urls("http://h/", 1),
             [](const http_request&, int) { return failing(transport_failure::connect); });
  run.options.flow.scheduling.origin.retry_budget = budget_of(0, 0);
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 10ms);
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::connect);
  EXPECT_THAT(run.seen.records.at(0).error,
              AllOf(HasSubstr("connect: scripted"), HasSubstr("--retry-budget")));
}

TEST(Engine, GivesBackTheRetryThatWasNotMade) {
  run_of run(urls("http://h/", 3), [](const http_request& request, int nth) {
    if (request.url == "http://h/2") return reply{.status = 503, .headers = retry_after_header("20")};
    return nth == 1 ? reply{.status = 503} : reply{};
  });
  run.options.flow.scheduling.origin.concurrency = 1;
  run.options.flow.scheduling.deadline = 5s;
  run.options.flow.scheduling.origin.retry_budget = budget_of(0, 1.0 / 60);  // one retry a minute
  run.run();
  // The first was charged for a retry, and its deadline passed while the second held the origin.
  EXPECT_EQ(run.seen.of("http://h/1").outcome, outcome::deadline);
  EXPECT_EQ(run.seen.of("http://h/3").outcome, outcome::ok);
  EXPECT_THAT(run.wire.times("http://h/3"), ElementsAre(20020ms, 21030ms));
}

TEST(Engine, LearnsHowManyRequestsAnOriginBears) {
  std::size_t refused = 0;
  run_of run(urls("http://h/", 5000), [&](const http_request&, int) {
    if (run.wire.in_flight() < 20) return reply{.latency = 100ms};
    ++refused;
    return reply{.latency = 5ms, .status = 503};
  });
  run.options.flow.plan = core::retry_plan(100, core::backoff_options{.base_delay = 1ms}, 5min);
  run.options.flow.scheduling.origin.breaker.reset();
  run.options.flow.scheduling.origin.adaptive =
      core::adaptive_limit_options{.algorithm = core::limit_algorithm::aimd, .initial = 8};
  run.run();
  EXPECT_EQ(run.engine->counts().ok, 5000u);
  EXPECT_GE(run.wire.most_in_flight(), 20u);
  EXPECT_LE(run.wire.most_in_flight(), 40u);
  EXPECT_LE(refused, 1500u);
  // Twenty at a time need 25 s.
  EXPECT_LE(run.sim.elapsed(), 30s);
}

TEST(Engine, AdaptsEachOriginByItself) {
  auto requests = urls("http://narrow/", 300);
  for (auto& request : urls("http://wide/", 3000)) requests.push_back(request);
  std::size_t most_to_wide = 0;
  run_of run(requests, [&](const http_request& request, int) {
    if (request.url.starts_with("http://narrow/")) return reply{.latency = 100ms, .status = 503};
    return reply{.latency = 100ms};
  });
  run.options.flow.scheduling.origin.breaker.reset();
  run.options.flow.scheduling.origin.adaptive =
      core::adaptive_limit_options{.algorithm = core::limit_algorithm::aimd, .initial = 8, .max = 50};
  run.run();
  std::map<std::chrono::nanoseconds, std::size_t> wide_at;
  for (const auto& note : run.wire.notes) {
    if (note.url.starts_with("http://wide/")) most_to_wide = std::max(most_to_wide, ++wide_at[note.at]);
  }
  EXPECT_GE(most_to_wide, 40u);
  std::map<std::chrono::nanoseconds, std::size_t> narrow_at;
  for (const auto& note : run.wire.notes) {
    if (note.url.starts_with("http://narrow/") && note.at > 10s) ++narrow_at[note.at];
  }
  for (const auto& [at, count] : narrow_at) EXPECT_LE(count, 1u) << at.count();
}

// The first exchange for a URL takes its time, further ones are quick.
fake_transport::script first_takes(std::chrono::nanoseconds time) {
  return [time](const http_request&, int nth) { return nth == 1 ? reply{.latency = time} : reply{}; };
}

TEST(Engine, SendsASlowRequestOnceMore) {
  run_of run(urls("http://h/", 1), first_takes(5s));
  run.options.flow.hedge = core::hedge_options{.delay = 200ms};
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 200ms));
  EXPECT_EQ(run.sim.elapsed(), 210ms);
  const auto& record = run.seen.records.at(0);
  EXPECT_EQ(record.outcome, outcome::ok);
  ASSERT_THAT(record.attempts, SizeIs(1));
  EXPECT_EQ(record.attempts[0].hedges, 1u);
  EXPECT_TRUE(record.attempts[0].hedge_won);
  EXPECT_EQ(run.engine->counts().retries, 0u);
}

TEST(Engine, LetsTheFirstExchangeWinIfItIsQuicker) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.latency = 300ms} : reply{.latency = 5s};
  });
  run.options.flow.hedge = core::hedge_options{.delay = 200ms};
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 300ms);
  EXPECT_EQ(run.seen.records.at(0).attempts[0].hedges, 1u);
  EXPECT_FALSE(run.seen.records.at(0).attempts[0].hedge_won);
}

TEST(Engine, KeepsTheBodyOfTheWinnerAlone) {
  temporary_directory directory;
  for (const bool hedge_wins : {true, false}) {
    run_of run(urls("http://h/", 1), [hedge_wins](const http_request&, int nth) {
      return nth == 1 ? reply{.latency = 1s, .body = "first"}
                      : reply{.latency = hedge_wins ? 10ms : 5s, .body = "hedge"};
    });
    run.wire.gives_body_first = true;
    run.options.flow.bodies = {.directory = directory / "d", .inline_limit = 100};
    run.options.flow.hedge = core::hedge_options{.delay = 200ms};
    run.run();
    const auto& record = run.seen.records.at(0);
    const std::string expected = hedge_wins ? "hedge" : "first";
    EXPECT_EQ(record.body, expected);
    EXPECT_EQ(record.bytes, 5u);
    EXPECT_EQ(read_file(record.file), expected);
    for (const auto& entry : std::filesystem::directory_iterator(directory / "d"))
      EXPECT_EQ(entry.path().string(), record.file);
  }
}

TEST(Engine, HedgesOnlyWhatMayBeDoneTwice) {
  run_of run({request_to("http://h/post", "POST"), request_to("http://h/put", "PUT")}, first_takes(1s));
  run.options.flow.hedge = core::hedge_options{.delay = 200ms};
  run.run();
  EXPECT_THAT(run.wire.times("http://h/post"), ElementsAre(0s));
  EXPECT_THAT(run.wire.times("http://h/put"), ElementsAre(0s, 200ms));
}

TEST(Engine, KeepsItsLimitsWhenItHedges) {
  run_of run(urls("http://h/", 20), [](const http_request& request, int nth) {
    return reply{.latency = nth == 1 && request.url.ends_with("5") ? 1s : 20ms};
  });
  run.options.flow.scheduling.origin.concurrency = 4;
  run.options.flow.scheduling.origin.rate = rate_spec{10, 1s, 5.0};
  run.options.flow.hedge = core::hedge_options{.delay = 50ms};
  run.run();
  EXPECT_EQ(run.engine->counts().ok, 20u);
  EXPECT_LE(run.wire.most_in_flight(), 4u);
  const auto& notes = run.wire.notes;
  EXPECT_EQ(notes.size(), 22u);
  for (std::size_t first = 0, last = 0; last < notes.size(); ++last) {
    while (notes[last].at - notes[first].at >= 1s) ++first;
    ASSERT_LE(last - first + 1, 15u);
  }
}

TEST(Engine, LetsAHedgeGoBeforeRequestsThatHaveNotBegun) {
  run_of run(urls("http://h/", 4), [](const http_request& request, int nth) {
    if (nth > 1) return reply{};
    return reply{.latency = request.url == "http://h/1" ? 10s : request.url == "http://h/2" ? 500ms : 10ms};
  });
  run.options.flow.scheduling.origin.concurrency = 2;
  run.options.flow.hedge = core::hedge_options{.delay = 200ms};
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 500ms));
  EXPECT_THAT(run.wire.times("http://h/2"), ElementsAre(0s));
  EXPECT_THAT(run.wire.times("http://h/3"), ElementsAre(510ms));
  EXPECT_EQ(run.sim.elapsed(), 520ms);
  EXPECT_EQ(run.seen.of("http://h/2").attempts[0].hedges, 0u);
}

TEST(Engine, LeavesAFailureToTheRetry) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.status = 503} : nth == 2 ? failing(transport_failure::reset) : reply{};
  });
  run.options.flow.hedge = core::hedge_options{.max_hedges = 3, .delay = 200ms};
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 1010ms, 3020ms));
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::ok);
}

TEST(Engine, WaitsForAHedgeThatIsOutWhenTheFirstExchangeFails) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.latency = 300ms, .failure = transport_failure::reset} : reply{.latency = 500ms};
  });
  run.options.flow.hedge = core::hedge_options{.delay = 200ms};
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 700ms);
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::ok);
  EXPECT_THAT(run.seen.records.at(0).attempts, SizeIs(1));
}

TEST(Engine, FailsAsTheFirstExchangeDidIfAllFail) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.latency = 300ms, .status = 503}
                    : reply{.latency = 200ms, .failure = transport_failure::reset};
  });
  run.options.flow.plan = core::retry_plan(1, core::backoff_options{}, 5min);
  run.options.flow.hedge = core::hedge_options{.delay = 200ms};
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 400ms);
  EXPECT_EQ(run.seen.records.at(0).status, 503u);
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::http_error);
}

TEST(Engine, GivesAHedgeNoMoreTimeThanTheAttemptHas) {
  run_of run(urls("http://h/", 1), [](const http_request&, int) { return reply{.latency = 1h}; });
  run.options.flow.plan = core::retry_plan(1, core::backoff_options{}, 5min);
  run.options.flow.hedge = core::hedge_options{.delay = 20s};
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 30s);
  EXPECT_EQ(run.seen.records.at(0).outcome, outcome::timeout);
  EXPECT_EQ(run.seen.records.at(0).attempts[0].hedges, 1u);
}

TEST(Engine, ChargesHedgesToTheRetryBudget) {
  run_of run(urls("http://h/", 10), first_takes(1s));
  run.options.flow.hedge = core::hedge_options{.delay = 200ms};
  run.options.flow.scheduling.origin.retry_budget = budget_of(0.2, 0);
  run.run();
  EXPECT_THAT(run.wire.notes, SizeIs(12));
}

TEST(Engine, ParksHedgesWhileTheBreakerIsOpen) {
  run_of run(urls("http://h/", 3), [](const http_request& request, int nth) {
    if (request.url == "http://h/1") return reply{.latency = nth == 1 ? 1s : 10ms};
    return failing(transport_failure::reset);
  });
  run.options.flow.scheduling.origin.breaker = core::breaker_options{.failure_threshold = 2, .timeout = 1h};
  run.options.flow.hedge = core::hedge_options{.delay = 200ms};
  run.options.flow.scheduling.deadline = 10s;
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s));
  EXPECT_EQ(run.seen.of("http://h/1").outcome, outcome::ok);
}

TEST(Engine, HedgesAfterAPercentileOfWhatItsOriginTakes) {
  auto requests = urls("http://quick/", 40);
  for (auto& request : urls("http://slow/", 40)) requests.push_back(request);
  run_of run(requests, [](const http_request& request, int nth) {
    if (request.url == "http://quick/40" && nth == 1) return reply{.latency = 10s};
    return reply{.latency = request.url.starts_with("http://quick/") ? 100ms : 2s};
  });
  run.options.flow.scheduling.origin.concurrency = 2;
  run.options.flow.hedge = core::hedge_options{.delay = core::duration::max(), .quantile = 0.95};
  run.run();
  // One exchange each, but for the one that took longer than its origin's others.
  EXPECT_THAT(run.wire.notes, SizeIs(81));
  const auto times = run.wire.times("http://quick/40");
  ASSERT_THAT(times, SizeIs(2));
  EXPECT_GE(times[1] - times[0], 100ms);
  EXPECT_LE(times[1] - times[0], 104ms);
}

TEST(Engine, StopsWithHedgesOutAndWaiting) {
  run_of run(urls("http://h/", 30), [](const http_request&, int) { return reply{.latency = 20s}; });
  run.options.flow.scheduling.origin.concurrency = 10;
  run.options.flow.hedge = core::hedge_options{.max_hedges = 2, .delay = 200ms};
  run.make();
  run.sim.at(1s, [&] { run.engine->stop(3s); });
  run.run();
  EXPECT_EQ(run.sim.elapsed(), 4s);
  EXPECT_EQ(run.engine->counts().cancelled, 10u);
}

class event_list final : public dspu::aio::observer {
 public:
  void on_event(const dspu::aio::event& e) noexcept override {
    std::string text = std::string(e.pipeline) + " " + std::to_string(e.call) + "." +
                       std::to_string(e.attempt) + " " + std::string(dspu::aio::name_of(e.kind));
    if (!e.policy.empty()) text += " " + std::string(e.policy);
    text += " " + std::string(e.reason);
    if (!e.state.empty()) text += " " + std::string(e.state);
    for (const auto& f : e.facts)
      text += " " + std::string(f.name) + "=" + std::to_string(f.value).substr(0, 5);
    events.push_back(text);
  }
  std::vector<std::string> events;
};

TEST(Engine, TellsAnObserverInTheWordsOfTheLibrary) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.status = 503} : nth == 2 ? reply{.latency = 31s} : reply{};
  });
  event_list told;
  run.options.flow.observer = &told;
  run.run();
  EXPECT_THAT(told.events, ElementsAre("http://h 1.1 attempt_ended failure seconds=0.010",
                                       "http://h 1.2 retry_scheduled retry backoff attempt=1.000 delay=1.000",
                                       "http://h 1.2 attempt_ended timed_out seconds=30.00",
                                       "http://h 1.2 timed_out timeout expired limit=30.00",
                                       "http://h 1.3 retry_scheduled retry backoff attempt=2.000 delay=2.000",
                                       "http://h 1.3 attempt_ended success seconds=0.010",
                                       "http://h 1.3 call_ended success seconds=33.02 attempts=3.000"));
}

TEST(Engine, TellsAnObserverOfWaitsRefusalsAndBreakers) {
  run_of run(urls("http://h/", 2),
             [](const http_request&, int) { return failing(transport_failure::reset); });
  event_list told;
  run.options.flow.observer = &told;
  run.options.flow.scheduling.origin.concurrency = 1;
  run.options.flow.scheduling.origin.breaker = core::breaker_options{.failure_threshold = 1, .timeout = 30s};
  run.options.flow.scheduling.deadline = 20s;
  run.run();
  EXPECT_THAT(told.events,
              ElementsAre("http://h 1.1 attempt_ended failure seconds=0.010",
                          "http://h 0.1 state_changed circuit_breaker failures open generation=1.000 "
                          "failure_count=1.000 success_count=0.000 reopenings=0.000",
                          "http://h 1.2 retry_scheduled retry backoff attempt=1.000 delay=1.000",
                          "http://h 1.2 refused circuit_breaker open seconds=19.99",
                          "http://h 1.2 call_ended refused seconds=20.00 attempts=1.000",
                          "http://h 2.1 refused circuit_breaker open seconds=20.01",
                          "http://h 2.1 call_ended refused seconds=20.01 attempts=0.000"));
}

TEST(Engine, DoesNotCountWhatWasNeverSentAgainstItsOrigin) {
  run_of run(urls("http://h/", 20), [](const http_request& request, int) {
    return request.url == "http://h/20" ? reply{} : failing(transport_failure::unsendable);
  });
  run.options.flow.scheduling.origin.breaker = core::breaker_options{.failure_threshold = 1, .timeout = 1h};
  run.options.flow.scheduling.origin.concurrency = 1;
  run.run();
  EXPECT_THAT(run.seen.transitions, IsEmpty());
  EXPECT_EQ(run.seen.of("http://h/20").outcome, outcome::ok);
  EXPECT_EQ(run.seen.of("http://h/1").outcome, outcome::invalid_input);
  EXPECT_THAT(run.wire.times("http://h/1"), SizeIs(1)) << "nor is it retried";
}

TEST(Engine, TellsOfTheHeadersOfTheLastAnswer) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.status = 503, .headers = {{"X-Try", "1"}, {"Age", "3"}}}
                    : reply{.headers = {{"X-Try", "2"}}};
  });
  run.options.flow.include_headers.names = {"x-try", "age"};
  run.run();
  const auto& headers = run.seen.records.at(0).headers;
  ASSERT_THAT(headers, SizeIs(1));
  EXPECT_EQ(headers[0].name, "x-try");
  EXPECT_THAT(headers[0].values, ElementsAre("2"));
}

TEST(Engine, SavesTheLastBodyOnly) {
  temporary_directory directory;
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.status = 503, .body = "busy"} : reply{.body = "right"};
  });
  run.options.flow.bodies = {.directory = directory / "d", .inline_limit = 100};
  run.run();
  const auto& record = run.seen.records.at(0);
  EXPECT_EQ(record.body, "right");
  EXPECT_EQ(read_file(record.file), "right");
}

TEST(Engine, EndsTheRunIfABodyCannotBeSaved) {
  temporary_directory directory;
  run_of run(urls("http://h/", 3), [](const http_request&, int) { return reply{}; });
  run.options.flow.bodies = {.directory = directory / "d"};
  run.make();
  std::filesystem::remove_all(directory / "d");
  EXPECT_THROW(run.run(), io_error);
  EXPECT_THAT(run.seen.records, IsEmpty());
}

// The server's own account: in no second does it get more than the limit, whatever goes wrong meanwhile.
TEST(Engine, NeverPassesTheRateWhateverGoesWrong) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    core::random_source random(seed);
    run_of run(urls("http://h/", 300), [&random](const http_request&, int) {
      const double dice = random.unit();
      reply r{.latency = std::chrono::nanoseconds(static_cast<std::int64_t>(random.unit() * 2e9))};
      if (dice < 0.2) r.status = 503;
      if (dice < 0.05) r.headers = retry_after_header(std::to_string(random() % 4));
      if (dice > 0.95) r.failure = transport_failure::reset;
      return r;
    });
    run.options.flow.seed = seed;
    run.options.flow.scheduling.origin.rate = rate_spec{20, 1s, 5.0};
    run.options.flow.scheduling.origin.concurrency = 30;
    run.run();
    EXPECT_THAT(run.seen.records, SizeIs(300));
    const auto& notes = run.wire.notes;
    for (std::size_t first = 0, last = 0; last < notes.size(); ++last) {
      while (notes[last].at - notes[first].at >= 1s) ++first;
      ASSERT_LE(last - first + 1, 25u);
    }
  }
}

}  // namespace

template class dspu::app::basic_engine<dspu::testing::manual_clock>;
