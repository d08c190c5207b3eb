#include "dspu/config/values.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace dspu::config;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::function<void()>& parse) {
  try {
    parse();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ParseDuration, ReadsEveryUnitAndSumsThem) {
  const std::vector<std::pair<std::string_view, std::chrono::nanoseconds>> table{{"0", 0ns},
                                                                                 {"0s", 0ns},
                                                                                 {"1ns", 1ns},
                                                                                 {"5us", 5us},
                                                                                 {"250ms", 250ms},
                                                                                 {"5m", 5min},
                                                                                 {"1m30s", 90s},
                                                                                 {"2h", 2h},
                                                                                 {"1d", 24h},
                                                                                 {"1.5s", 1500ms},
                                                                                 {"0.1s", 100ms},
                                                                                 {"1h0m1s", 3601s},
                                                                                 {"100000d", 100000 * 24h}};
  for (const auto& [text, expected] : table) EXPECT_EQ(parse_duration(text), expected) << text;
}

TEST(ParseDuration, RefusesWhatHasNoUnitOrNoSense) {
  for (const std::string_view text :
       {"", "5", "s", "-5s", "+5s", "5 s", "5x", "5S", "nan", "infs", "1e3s", "30s1m", "1s1s", "1s5",
        "200000d", "99999999999999999999999s", "0x5s", " 5s", "5s "}) {
    EXPECT_THROW(parse_duration(text), std::invalid_argument) << text;
  }
}

TEST(ParseDuration, NamesTheValueAndTheForm) {
  EXPECT_THAT(refusal([] { parse_duration("5"); }),
              AllOf(HasSubstr("'5'"), HasSubstr("30s"), HasSubstr("units")));
}

TEST(ParseRate, ReadsAmountPeriodAndBurst) {
  EXPECT_EQ(parse_rate("20"), (rate_spec{20, 1s, {}}));
  EXPECT_EQ(parse_rate("20/s"), (rate_spec{20, 1s, {}}));
  EXPECT_EQ(parse_rate("0.5/s"), (rate_spec{0.5, 1s, {}}));
  EXPECT_EQ(parse_rate("100/m"), (rate_spec{100, 1min, {}}));
  EXPECT_EQ(parse_rate("5/15s"), (rate_spec{5, 15s, {}}));
  EXPECT_EQ(parse_rate("5/1m30s"), (rate_spec{5, 90s, {}}));
  EXPECT_EQ(parse_rate("1000/h,burst=50"), (rate_spec{1000, 1h, 50.0}));
}

TEST(ParseRate, RefusesZeroNegativeAndMalformed) {
  for (const std::string_view text :
       {"",          "0",          "0/s",         "-1/s",          "/s",           "5/",
        "5/0s",      "5/x",        "5/15",        "nan/s",         "inf",          "5/s,",
        "5/s,burst", "5/s,burst=", "5/s,burst=0", "5/s,burst=0.5", "5/s,burst=-3", "5/s,burst=x",
        "5/s,b=3",   "5 /s"}) {
    EXPECT_THROW(parse_rate(text), std::invalid_argument) << text;
  }
  EXPECT_THAT(refusal([] { parse_rate("fast"); }), AllOf(HasSubstr("'fast'"), HasSubstr("5/15s")));
}

TEST(ParseSize, ReadsBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("1b"), 1u);
  EXPECT_EQ(parse_size("64k"), 65536u);
  EXPECT_EQ(parse_size("64K"), 65536u);
  EXPECT_EQ(parse_size("1MiB"), 1048576u);
  EXPECT_EQ(parse_size("10MB"), 10000000u);
  EXPECT_EQ(parse_size("1.5k"), 1536u);
  EXPECT_EQ(parse_size("2G"), std::uint64_t{2} << 30);
}

TEST(ParseSize, RefusesNegativeUnknownAndTooLarge) {
  for (const std::string_view text : {"", "-1", "k", "1x", "1kk", "1ki5", "nan", "9999999999T", "1 k"}) {
    EXPECT_THROW(parse_size(text), std::invalid_argument) << text;
  }
  EXPECT_THAT(refusal([] { parse_size("big"); }), AllOf(HasSubstr("'big'"), HasSubstr("64k")));
}

TEST(ParseRatio, ReadsPercentAndFraction) {
  EXPECT_DOUBLE_EQ(parse_ratio("10%"), 0.1);
  EXPECT_DOUBLE_EQ(parse_ratio("0.1"), 0.1);
  EXPECT_DOUBLE_EQ(parse_ratio("0"), 0);
  EXPECT_DOUBLE_EQ(parse_ratio("1"), 1);
  EXPECT_DOUBLE_EQ(parse_ratio("100%"), 1);
}

TEST(ParseRatio, RefusesWhatIsOutsideZeroToOne) {
  for (const std::string_view text : {"", "%", "-1%", "101%", "1.1", "nan", "10%%", "0.1x"}) {
    EXPECT_THROW(parse_ratio(text), std::invalid_argument) << text;
  }
  EXPECT_THAT(refusal([] { parse_ratio("200%"); }), AllOf(HasSubstr("'200%'"), HasSubstr("0 to 1")));
}

}  // namespace
