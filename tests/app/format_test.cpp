#include "dspu/format.hpp"

#include <gtest/gtest.h>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;

TEST(Format, WritesDurationsAsPeopleDo) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(830us), "830us");
  EXPECT_EQ(format_duration(12500us), "12.5ms");
  EXPECT_EQ(format_duration(999ms), "999ms");
  EXPECT_EQ(format_duration(999900us), "1.0s");
  EXPECT_EQ(format_duration(4200ms), "4.2s");
  EXPECT_EQ(format_duration(59990ms), "1m00s");
  EXPECT_EQ(format_duration(102s), "1m42s");
  EXPECT_EQ(format_duration(7500s), "2h05m");
}

TEST(Format, WritesCountsBytesAndRates) {
  EXPECT_EQ(format_count(950), "950");
  EXPECT_EQ(format_count(12'400), "12.4k");
  EXPECT_EQ(format_count(3'140'000), "3.14M");
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(48'200'000), "48.2 MB");
  EXPECT_EQ(format_bytes(999'999), "1.00 MB");
  EXPECT_EQ(format_rate(0.42), "0.4/s");
  EXPECT_EQ(format_rate(980.4), "980/s");
}

}  // namespace
