// What a run makes of answers that refuse a request for load.
#include "app/engine_run.hpp"
#include "dspu/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace {

using namespace dspu::app;
using namespace dspu::app::testing;
using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace core = dspu::core;

TEST(EngineRefusals, WaitForTheBackoffWhereRetryAfterIsZero) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth < 3 ? reply{.status = 429, .headers = retry_after_header("0")} : reply{};
  });
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 1010ms, 3020ms));
  EXPECT_THAT(run.seen.holds, IsEmpty());
}

TEST(EngineRefusals, WaitForTheBackoffWhereRetryAfterIsADateJustPast) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    header_list headers = retry_after_header("Sat, 31 Jan 2026 12:00:00 GMT");
    headers.emplace_back("Date", "Sat, 31 Jan 2026 12:00:01 GMT");
    return nth == 1 ? reply{.status = 503, .headers = headers} : reply{};
  });
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 1010ms));
}

TEST(EngineRefusals, HoldTheOriginForAFractionOfASecond) {
  run_of run(urls("http://h/", 1), [](const http_request&, int nth) {
    return nth == 1 ? reply{.status = 429, .headers = retry_after_header("1.493")} : reply{};
  });
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 1503ms));
}

// 100 requests in 5 s; the seconds until the next window are rounded down.
TEST(EngineRefusals, LoseNothingToAWindowWhoseSecondsAreRoundedDown) {
  std::int64_t window = -1;
  int used = 0;
  run_of run(urls("http://h/", 400), [&](const http_request&, int) {
    const auto now = run.sim.elapsed();
    if (now / 5s != window) used = 0;
    window = now / 5s;
    if (++used <= 100) return reply{};
    const auto left = std::chrono::floor<std::chrono::seconds>((window + 1) * 5s - now);
    return reply{.status = 429, .headers = retry_after_header(std::to_string(left.count()))};
  });
  run.options = to_engine_options(fetch_options{});
  run.run();
  EXPECT_EQ(run.engine->counts().ok, 400u);
  EXPECT_THAT(run.seen.transitions, IsEmpty());
}

TEST(EngineRefusals, AreRetriedWhateverTheMethod) {
  std::vector<http_request> requests;
  for (const char* path : {"429", "503hint", "403hint", "503"})
    requests.push_back(request_to("http://h/" + std::string(path), "POST"));
  run_of run(requests, [](const http_request& request, int nth) {
    if (nth > 1) return reply{};
    reply refused{.status = static_cast<unsigned>(std::stoi(request.url.substr(9)))};
    if (request.url.ends_with("hint")) refused.headers = retry_after_header("1");
    return refused;
  });
  run.run();
  for (const char* path : {"429", "503hint", "403hint"})
    EXPECT_EQ(run.seen.of("http://h/" + std::string(path)).outcome, outcome::ok) << path;
  // 503 alone may have been carried out in part.
  EXPECT_EQ(run.seen.of("http://h/503").outcome, outcome::http_error);
}

TEST(EngineRefusals, ByGitHubHoldTheOriginUntilItsQuotaIsRenewed) {
  run_of run(urls("http://h/", 2), [](const http_request& request, int nth) {
    if (nth > 1 || request.url == "http://h/2") return reply{};
    return reply{.status = 403,
                 .headers = {{"Date", "Sat, 31 Jan 2026 12:00:00 GMT"},
                             {"X-RateLimit-Remaining", "0"},
                             {"X-RateLimit-Reset", "1769860830"}}};
  });
  run.options.flow.scheduling.origin.concurrency = 1;
  run.run();
  EXPECT_THAT(run.wire.times("http://h/1"), ElementsAre(0s, 30010ms));
  EXPECT_THAT(run.wire.times("http://h/2"), Each(Ge(30010ms)));
  EXPECT_EQ(run.engine->counts().ok, 2u);
}

TEST(EngineRefusals, DoNotOpenTheBreaker) {
  for (const unsigned status : {429u, 403u}) {
    run_of run(urls("http://h/", 100), [&](const http_request&, int) {
      return reply{.status = run.sim.elapsed() < 20s ? status : 200, .headers = retry_after_header("1")};
    });
    run.options.flow.plan = core::retry_plan(100, core::backoff_options{}, 5min);
    run.run();
    EXPECT_THAT(run.seen.transitions, IsEmpty()) << status;
    EXPECT_EQ(run.engine->counts().ok, 100u) << status;
  }
}

}  // namespace
