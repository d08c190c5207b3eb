// Every interleaving of the lock-free parts, in models small enough to search. Each model is also searched
// with a flaw put in, one at a time: a search that found nothing there would prove nothing here.
#include "schedules/explore.hpp"
#include "schedules/breaker_model.hpp"
#include "schedules/limiter_model.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <vector>

namespace dspu::schedules {
namespace {

using core::verdict;

void report(const char* model, const exploration& e) {
  std::printf("%s: %llu states, %llu ends, %.3g schedules\n", model,
              static_cast<unsigned long long>(e.states), static_cast<unsigned long long>(e.ends),
              e.schedules);
}

// Who takes part: three that acquire, or two with others in their way.
std::vector<limiter_model> limiter_casts(limiter_flaw flaw) {
  using m = limiter_model;
  return {m({1, 2, 1}, {}, flaw),
          m({2, 1, 1}, {m::canceller}, flaw),
          m({2, 1, 0}, {m::canceller, m::trier}, flaw),
          m({2, 2, 0}, {m::destroyer, m::trier}, flaw),
          m({1, 2, 2}, {m::destroyer, m::trier, m::canceller}, flaw),
          m({2, 1, 0}, {m::reserver, m::trier, m::canceller}, flaw),
          m({1, 2, 0}, {m::changer, m::trier, m::destroyer}, flaw),
          m({2, 0, 0}, {m::changer, m::reserver, m::trier}, flaw)};
}

TEST(LimiterSchedules, LoseNoWakeUpLetNobodyBargeInAndConserveTokens) {
  for (const auto& cast : limiter_casts(limiter_flaw::none)) {
    const auto e = explore(cast);
    EXPECT_EQ(e.fault, "");
    EXPECT_GT(e.states, 2'000U) << "too few to mean anything";
    report("limiter", e);
  }
}

TEST(LimiterSchedules, ShowEveryFlawPutIn) {
  using enum limiter_flaw;
  for (const auto flaw :
       {fast_path_ignores_the_line, line_is_not_closed, wake_opens_the_line, cancel_does_not_plan,
        line_is_not_opened, open_before_unlinking, line_is_closed_by_a_store, give_back_does_not_plan,
        look_is_ignored, nobody_looks, old_lane_is_left_open, reservation_is_dropped_unplanned}) {
    bool found = false;
    for (const auto& cast : limiter_casts(flaw)) found = found || !explore(cast).fault.empty();
    EXPECT_TRUE(found) << "flaw " << static_cast<int>(flaw);
  }
}

std::vector<breaker_model> breaker_casts(breaker_flaw flaw) {
  using enum verdict;
  std::vector<breaker_model> models;
  for (const breaker_cast& cast : std::initializer_list<breaker_cast>{
           {0, {failure, success, success}, by_hand::reset, true},
           {1, {failure, success, success}},
           {1, {failure, failure, ignored}},
           {1, {failure, failure, failure}},
           {2, {failure, success, failure}},
           {1, {failure, success, failure}, by_hand::isolate},
           {1, {failure, success, failure}, by_hand::open_until},
           {1, {failure, success, failure}, by_hand::shorten_timeout},
           {5, {failure, success, success}, by_hand::add_window}}) {
    models.emplace_back(cast, flaw);
  }
  return models;
}

TEST(BreakerSchedules, DecideNothingThatWasNotSoAndSettleNothingStale) {
  for (const auto& cast : breaker_casts(breaker_flaw::none)) {
    const auto e = explore(cast);
    EXPECT_EQ(e.fault, "");
    EXPECT_GT(e.states, 5'000U) << "too few to mean anything";
    report("breaker", e);
  }
}

TEST(BreakerSchedules, ShowEveryFlawPutIn) {
  using enum breaker_flaw;
  for (const auto flaw : {success_ignores_generation, clean_with_failures, clean_with_window,
                          enter_ignores_open, no_publish_by_hand, settle_without_generation}) {
    bool found = false;
    for (const auto& cast : breaker_casts(flaw)) found = found || !explore(cast).fault.empty();
    EXPECT_TRUE(found) << "flaw " << static_cast<int>(flaw);
  }
}

}  // namespace
}  // namespace dspu::schedules
