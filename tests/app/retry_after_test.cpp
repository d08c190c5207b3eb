#include "dspu/retry_after.hpp"

#include "dspu/header_value.hpp"
#include "dspu/http_date.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using std::chrono::seconds;

// 1994-11-06 08:49:37 UTC, the date of RFC 9110's examples.
constexpr std::chrono::sys_seconds example{784111777s};

std::optional<std::chrono::nanoseconds> wait_for(std::string_view value) {
  const header_list headers{{"Content-Type", "text/plain"}, {"retry-after", std::string(value)}};
  return retry_after(headers, example);
}

TEST(RetryAfter, ReadsSeconds) {
  EXPECT_EQ(wait_for("0"), 0s);
  EXPECT_EQ(wait_for("120"), 120s);
  EXPECT_EQ(wait_for(" 7\t"), 7s);
  EXPECT_EQ(wait_for("0000000000000000000030"), 30s);
}

TEST(RetryAfter, ReadsSecondsWithAFraction) {
  EXPECT_EQ(wait_for("0.493"), 493ms);
  EXPECT_EQ(wait_for("2.0"), 2s);
  EXPECT_EQ(wait_for("1.000000001"), 1s + 1ns);
}

TEST(RetryAfter, ReadsDurationsAsGoPrintsThem) {
  EXPECT_EQ(wait_for("1m0s"), 60s);
  EXPECT_EQ(wait_for("493ms"), 493ms);
  EXPECT_EQ(wait_for("1h2m3.5s"), 3723500ms);
}

TEST(RetryAfter, ReadsMillisecondsBeforeSecondsThatAreRounded) {
  for (const std::string_view name : {"Retry-After-Ms", "x-ms-retry-after-ms"}) {
    const header_list headers{{"Retry-After", "1"}, {std::string(name), "493"}};
    EXPECT_EQ(retry_after(headers, example), 493ms) << name;
    EXPECT_EQ(retry_after({{std::string(name), "12.5"}}, example), 12500us) << name;
    // What cannot be read does not stand in the way of what can.
    EXPECT_EQ(retry_after({{std::string(name), "soon"}, {"Retry-After", "1"}}, example), 1s) << name;
  }
}

TEST(RetryAfter, SaturatesHugeValues) {
  constexpr std::chrono::nanoseconds century = longest_wait;
  EXPECT_EQ(wait_for("9999999999"), century);
  EXPECT_EQ(wait_for(std::string(500, '9')), century);
  EXPECT_EQ(wait_for("Fri, 31 Dec 9999 23:59:59 GMT"), century);
}

TEST(RetryAfter, IgnoresNegativeAndUnreadable) {
  for (const std::string_view text :
       {"", " ", "-5", "+5", "1e9", ".", "1.5.2", ".5", "1s1m", "-1s", "soon", "5, 6", "5 6", "0x10", "NaN",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Xxx, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT!"}) {
    EXPECT_EQ(wait_for(text), std::nullopt) << text;
  }
  EXPECT_EQ(retry_after({}, example), std::nullopt);
}

TEST(RetryAfter, IgnoresValuesThatContradictEachOther) {
  const header_list twice{{"Retry-After", "5"}, {"Retry-After", "60"}};
  EXPECT_EQ(retry_after(twice, example), std::nullopt);
  const header_list repeated{{"Retry-After", "5"}, {"Retry-After", " 5"}};
  EXPECT_EQ(retry_after(repeated, example), 5s);
}

TEST(RetryAfter, ReadsTheThreeFormsOfADate) {
  for (const std::string_view text :
       {"Sun, 06 Nov 1994 08:50:37 GMT", "Sunday, 06-Nov-94 08:50:37 GMT", "Sun Nov  6 08:50:37 1994"}) {
    EXPECT_EQ(wait_for(text), 60s) << text;
  }
  EXPECT_EQ(wait_for("Sun Nov 13 08:49:37 1994"), seconds(7 * 86400));
}

TEST(RetryAfter, TakesAPastDateAsNow) { EXPECT_EQ(wait_for("Sun, 06 Nov 1994 08:00:00 GMT"), 0s); }

TEST(RetryAfter, MeasuresADateAgainstTheResponsesOwnDate) {
  const header_list headers{{"Date", "Wed, 01 Jan 2020 00:00:00 GMT"},
                            {"Retry-After", "Wed, 01 Jan 2020 00:00:42 GMT"}};
  EXPECT_EQ(retry_after(headers, example), 42s);
}

TEST(RetryAfter, FallsBackToTheWallClockWhenDateIsUnreadable) {
  const header_list headers{{"Date", "yesterday"}, {"Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"}};
  EXPECT_EQ(retry_after(headers, example + 500ms), 60s);
}

TEST(RetryAfter, PutsTwoDigitYearsNearNow) {
  const std::chrono::sys_seconds in_2026{1780000000s};
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", in_2026), example);
  EXPECT_EQ(parse_http_date("Friday, 01-Jan-27 00:00:00 GMT", in_2026),
            std::chrono::sys_seconds(1798761600s));
}

TEST(RetryAfter, SurvivesRandomBytes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string stem = "Sun, 06 Nov 1994 08:50:37 GMT";
  for (int i = 0; i < 20000; ++i) {
    std::string text = stem.substr(0, random() % (stem.size() + 1));
    for (auto edits = random() % 4; edits > 0 && !text.empty(); --edits) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    const auto wait = wait_for(text);
    if (wait) {
      EXPECT_GE(*wait, 0s) << text;
    }
  }
}

}  // namespace
