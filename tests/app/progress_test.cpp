#include "dspu/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

progress_view example() {
  progress_view view;
  view.counts.ok = 800;
  view.counts.failed = 12;
  view.counts.retries = 31;
  view.expected = 2000;
  view.expected_is_exact = true;
  view.in_flight = 50;
  view.rate = 240;
  return view;
}

TEST(ProgressLine, ShowsHowFarTheRunIs) {
  EXPECT_EQ(progress_line(example(), false),
            "812/2000 40%  ok 800  failed 12  retried 31  in flight 50  240/s  ETA 5.0s");
}

TEST(ProgressLine, ShowsWhatKeepsOriginsBack) {
  progress_view view = example();
  view.origins = {.known = 9, .waiting_for_rate = 1, .held = 2, .open = 3};
  EXPECT_THAT(progress_line(view, false), HasSubstr("rate-limited 1  held 2  open 3"));
}

TEST(ProgressLine, MarksAnEstimateAndDoesWithoutOne) {
  progress_view view = example();
  view.expected_is_exact = false;
  EXPECT_THAT(progress_line(view, false), HasSubstr("812/~2000"));
  view.expected.reset();
  EXPECT_THAT(progress_line(view, false), ::testing::StartsWith("812  ok"));
  EXPECT_THAT(progress_line(view, false), Not(HasSubstr("ETA")));
}

TEST(ProgressLine, SaysThatItIsStopping) {
  progress_view view = example();
  view.stopping = true;
  EXPECT_THAT(progress_line(view, false), HasSubstr("stopping"));
  EXPECT_THAT(progress_line(view, false), Not(HasSubstr("ETA")));
}

TEST(ProgressLine, UsesColourOnlyIfAsked) {
  EXPECT_THAT(progress_line(example(), false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(progress_line(example(), true), HasSubstr("\x1b[31mfailed 12\x1b[0m"));
}

TEST(CutToWidth, CountsNoColourCodes) {
  EXPECT_EQ(cut_to_width("hello", 10), "hello");
  EXPECT_EQ(cut_to_width("hello", 4), "hell");
  EXPECT_EQ(cut_to_width("a\x1b[31mbc\x1b[0md", 4), "a\x1b[31mbc\x1b[0md");
  EXPECT_EQ(cut_to_width("a\x1b[31mbcd", 3), "a\x1b[31mbc\x1b[0m");
}

TEST(RateMeter, StartsWithWhatItSeesAndForgetsSlowly) {
  rate_meter meter;
  EXPECT_DOUBLE_EQ(meter.update(100, 1s), 100);
  EXPECT_DOUBLE_EQ(meter.update(100, 1s), 100);
  const double after = meter.update(100, 11s);
  EXPECT_GT(after, 30);
  EXPECT_LT(after, 40);
}

}  // namespace
