#include "dspu/rate_headers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;

// 2026-01-31 12:00:00 UTC
constexpr std::chrono::sys_seconds now{1769860800s};

std::optional<rate_quota> quota_of(const header_list& headers) { return rate_quota_of(headers, now); }

TEST(RateHeaders, ReadTheThreeHeadersOfTheEarlyDrafts) {
  EXPECT_EQ(quota_of({{"RateLimit-Limit", "100"}, {"RateLimit-Remaining", "42"}, {"RateLimit-Reset", "30"}}),
            (rate_quota{100, 42, 30s}));
  EXPECT_EQ(quota_of({{"ratelimit-limit", "100, 100;w=60, 5000;w=3600"}, {"ratelimit-remaining", "0"}}),
            (rate_quota{100, 0, std::nullopt}));
}

TEST(RateHeaders, ReadTheOneHeaderOfTheLaterDrafts) {
  EXPECT_EQ(quota_of({{"RateLimit", "limit=100, remaining=50, reset=30"}}), (rate_quota{100, 50, 30s}));
  EXPECT_EQ(quota_of({{"RateLimit", R"("default";r=50;t=30)"}}), (rate_quota{std::nullopt, 50, 30s}));
  // The limit that is reached first counts.
  EXPECT_EQ(quota_of({{"RateLimit", R"("burst";r=50;t=30, "day";r=7;t=3600)"}}), (rate_quota{std::nullopt, 7, 1h}));
  EXPECT_EQ(quota_of({{"RateLimit", R"("burst";r=0;t=30, "day";r=0;t=3600)"}}), (rate_quota{std::nullopt, 0, 1h}));
}

TEST(RateHeaders, ReadGitHubsInstantAgainstTheServersClock) {
  EXPECT_EQ(quota_of({{"X-RateLimit-Limit", "5000"}, {"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1769861000"}}),
            (rate_quota{5000, 0, 200s}));
  EXPECT_EQ(quota_of({{"Date", "Sat, 31 Jan 2026 12:00:10 GMT"},
                      {"X-RateLimit-Remaining", "3"},
                      {"X-RateLimit-Reset", "1769861000"}}),
            (rate_quota{std::nullopt, 3, 190s}));
  EXPECT_EQ(quota_of({{"X-RateLimit-Remaining", "3"}, {"X-RateLimit-Reset", "1769860000"}}),
            (rate_quota{std::nullopt, 3, 0s}));
}

TEST(RateHeaders, ReadDiscordsSecondsFromNow) {
  EXPECT_EQ(quota_of({{"X-RateLimit-Limit", "5"},
                      {"X-RateLimit-Remaining", "0"},
                      {"X-RateLimit-Reset", "1769860801"},
                      {"X-RateLimit-Reset-After", "0.35"}}),
            (rate_quota{5, 0, 350ms}));
}

TEST(RateHeaders, ReadTwittersAndOpenAIs) {
  EXPECT_EQ(quota_of({{"x-rate-limit-limit", "15"}, {"x-rate-limit-remaining", "14"}, {"x-rate-limit-reset", "1769861700"}}),
            (rate_quota{15, 14, 900s}));
  EXPECT_EQ(quota_of({{"x-ratelimit-limit-requests", "60"},
                      {"x-ratelimit-remaining-requests", "59"},
                      {"x-ratelimit-reset-requests", "6m0s"}}),
            (rate_quota{60, 59, 360s}));
}

TEST(RateHeaders, ReadInstantsInMillisecondsAndDates) {
  EXPECT_EQ(quota_of({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1769860830500"}}),
            (rate_quota{std::nullopt, 0, 30500ms}));
  EXPECT_EQ(quota_of({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "Sat, 31 Jan 2026 12:01:00 GMT"}}),
            (rate_quota{std::nullopt, 0, 60s}));
}

TEST(RateHeaders, SayNothingWithoutWhatIsLeft) {
  EXPECT_EQ(quota_of({}), std::nullopt);
  EXPECT_EQ(quota_of({{"X-RateLimit-Limit", "5000"}, {"X-RateLimit-Reset", "1769861000"}}), std::nullopt);
  for (const std::string_view text : {"", "-1", "none", "1e3", "NaN", "5 6"})
    EXPECT_EQ(quota_of({{"X-RateLimit-Remaining", std::string(text)}}), std::nullopt) << text;
  for (const std::string_view text : {"", ";;;", ",,,", "r=1", "\"a\";r=x", "\"a\";t=5", "limit=5, reset=1"})
    (void)quota_of({{"RateLimit", std::string(text)}});
}

TEST(RateHeaders, SurviveRandomBytes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string stem = R"("burst";r=50;t=30, "day";r=7;t=1769861000)";
  for (int i = 0; i < 20000; ++i) {
    std::string text = stem.substr(0, random() % (stem.size() + 1));
    for (auto edits = random() % 4; edits > 0 && !text.empty(); --edits)
      text[random() % text.size()] = static_cast<char>(random());
    const auto quota = quota_of({{"RateLimit", text}, {"X-RateLimit-Remaining", "1"}, {"X-RateLimit-Reset", text}});
    ASSERT_TRUE(quota);
    EXPECT_GE(quota->remaining, 0) << text;
    EXPECT_GE(quota->reset.value_or(0s), 0s) << text;
  }
}

}  // namespace
