#include "dspu/transfer_pace.hpp"

#include <gtest/gtest.h>

namespace dspu::app {
namespace {

using namespace std::chrono_literals;
using fault = transfer_pace::fault;
using instant = transfer_pace::instant;

constexpr instant start{1h};
constexpr instant never = instant::max();

TEST(TransferPace, HasNoLimitsUnlessItIsGivenSome) {
  transfer_pace pace({}, never, start);
  EXPECT_EQ(pace.due(), never);
  pace.sent(start);
  EXPECT_EQ(pace.due(), never);
  pace.read(1, true, start);
  EXPECT_EQ(pace.due(), never);
  EXPECT_EQ(pace.verdict(start + 100'000h), std::nullopt);
}

TEST(TransferPace, WaitsForTheAnswerFromWhenTheRequestIsSent) {
  transfer_pace pace({.first_byte = 30s, .stall = 10s}, never, start);
  for (auto now = start; now < start + 100s; now += 9s) {  // a long request, which goes out
    EXPECT_EQ(pace.verdict(now), std::nullopt);
    pace.wrote(now);
    EXPECT_EQ(pace.due(), now + 10s);
  }
  pace.sent(start + 100s);
  EXPECT_EQ(pace.due(), start + 130s);
  pace.read(10, false, start + 120s);  // an interim answer is none
  EXPECT_EQ(pace.verdict(start + 130s - 1ns), std::nullopt);
  EXPECT_EQ(pace.verdict(start + 130s), fault::first_byte);
}

TEST(TransferPace, EndsARequestThatDoesNotGoOut) {
  transfer_pace pace({.first_byte = 30s, .stall = 10s}, never, start);
  pace.wrote(start + 5s);
  EXPECT_EQ(pace.verdict(start + 15s - 1ns), std::nullopt);
  EXPECT_EQ(pace.verdict(start + 15s), fault::stall);
}

TEST(TransferPace, NeverCutsABodyThatComesIn) {
  transfer_pace pace({.first_byte = 30s, .stall = 10s}, start + 60s, start);
  pace.sent(start);
  auto now = start + 29s;
  pace.read(100, true, now);
  for (int i = 0; i < 10'000; ++i) {
    now += 10s - 1ns;
    EXPECT_EQ(pace.verdict(now), std::nullopt);
    pace.read(1, true, now);
  }
  EXPECT_EQ(pace.due(), now + 10s);
  EXPECT_EQ(pace.verdict(now + 10s), fault::stall);
}

TEST(TransferPace, KeepsToTheDeadlineOfItsCaller) {
  transfer_pace pace({.first_byte = 30s}, start + 5s, start);
  EXPECT_EQ(pace.due(), start + 5s);
  pace.sent(start + 1s);
  EXPECT_EQ(pace.due(), start + 5s);
  EXPECT_EQ(pace.verdict(start + 5s), fault::first_byte);
  transfer_pace answered({.first_byte = 30s}, start + 5s, start);
  answered.sent(start);
  answered.read(1, true, start + 4s);
  EXPECT_EQ(answered.verdict(start + 5s), std::nullopt);
}

TEST(TransferPace, MeasuresTheSpeedOfEachWindow) {
  transfer_pace pace({.bytes_per_second = 1000, .measured_over = 30s}, never, start);
  pace.sent(start);
  pace.read(0, true, start + 1s);
  EXPECT_EQ(pace.due(), start + 31s);
  pace.read(30'000, true, start + 2s);  // and then nothing for a while
  EXPECT_EQ(pace.verdict(start + 31s), std::nullopt);
  EXPECT_EQ(pace.due(), start + 61s);
  pace.read(29'999, true, start + 60s);
  EXPECT_EQ(pace.verdict(start + 61s - 1ns), std::nullopt);
  EXPECT_EQ(pace.verdict(start + 61s), fault::slow);
}

}  // namespace
}  // namespace dspu::app
