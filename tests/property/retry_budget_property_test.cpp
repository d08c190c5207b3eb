// The retry budget against a list of all that ever happened, added up afresh at each question.
#include "dspu/core/retry_budget.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace dspu::core {
namespace {

constexpr int steps = 300;

struct entry {
  std::int64_t slot;
  std::int64_t thousandths;  // of a retry: deposits are positive
};

// What Finagle documents: the reserve, and what was deposited and not withdrawn in the last ten tenths of
// ttl.
struct per_call_model {
  std::int64_t tenth;    // ns
  std::int64_t reserve;  // thousandths
  std::vector<entry> log{};

  std::int64_t slot(std::int64_t now) const { return now / tenth; }
  std::int64_t balance(std::int64_t now) const {
    std::int64_t sum = reserve;
    for (const auto& e : log) sum += e.slot > slot(now) - 10 ? e.thousandths : 0;
    return sum;
  }
  std::int64_t withdrawn_lately(std::int64_t now) const {
    std::int64_t n = 0;
    for (const auto& e : log) n += e.thousandths < 0 && e.slot > slot(now) - 10 ? 1 : 0;
    return n;
  }
  std::int64_t earned_lately(std::int64_t now) const {
    std::int64_t sum = 0;
    for (const auto& e : log) sum += e.thousandths > 0 && e.slot > slot(now) - 10 ? e.thousandths : 0;
    return sum;
  }
};

enum class act { deposit, withdraw, refund, wait };
act any_act() {
  return *rc::gen::weightedElement<act>(
      {{8, act::deposit}, {6, act::withdraw}, {1, act::refund}, {3, act::wait}});
}

RC_GTEST_PROP(RetryBudgetProperty, AddsUpWhatItsTtlHolds, ()) {
  const auto ttl = *rc::gen::inRange<std::int64_t>(1, 61);
  const auto per_second = *rc::gen::element(0.0, 0.1, 1.0);
  const auto earned = *rc::gen::inRange<std::int64_t>(0, 1500);  // thousandths
  retry_budget_machine subject({.ttl = std::chrono::seconds{ttl},
                                .min_retries_per_second = per_second,
                                .retries_per_call = static_cast<double>(earned) / 1000});
  per_call_model m{.tenth = ttl * 100'000'000,
                   .reserve = static_cast<std::int64_t>(per_second * 10 + 0.5) * ttl * 100};
  std::vector<std::size_t> made;  // withdrawals, by their place in the log
  std::int64_t now = 0;
  for (int i = 0; i < steps; ++i) {
    const instant t{duration{now}};
    switch (any_act()) {
      case act::deposit:
        subject.deposit(t);
        m.log.push_back({m.slot(now), earned});
        break;
      case act::withdraw: {
        const bool granted = subject.try_withdraw(t);
        RC_ASSERT(granted == (m.balance(now) >= 1000));
        if (!granted) break;
        made.push_back(m.log.size());
        m.log.push_back({m.slot(now), -1000});
        RC_ASSERT(1000 * m.withdrawn_lately(now) <= m.reserve + m.earned_lately(now));
        break;
      }
      case act::refund: {
        if (made.empty()) break;
        auto& e = m.log[made.back()];
        made.pop_back();
        subject.refund(instant{duration{e.slot * m.tenth}});
        e.thousandths = 0;
        break;
      }
      case act::wait:
        now += *rc::gen::inRange<std::int64_t>(0, 5 * m.tenth);
        break;
    }
    RC_ASSERT(std::llround(subject.balance(instant{duration{now}}) * 1000) ==
              std::max<std::int64_t>(0, m.balance(now)));
  }
}

// Tokens in thousandths, as gRPC's own implementations count them.
RC_GTEST_PROP(RetryBudgetProperty, CountsTokensAsGrpcDoes, ()) {
  const bool round = *rc::gen::arbitrary<bool>();  // so that half of the tokens is met exactly
  const auto most = *rc::gen::inRange<std::int64_t>(1, 20) * (round ? 1000 : 997);
  const auto ratio = round ? 500 : *rc::gen::inRange<std::int64_t>(1, 2'000);
  retry_budget_machine subject({.kind = retry_budget_kind::token_ratio,
                                .max_tokens = static_cast<double>(most) / 1000,
                                .token_ratio = static_cast<double>(ratio) / 1000});
  std::int64_t tokens = most;
  for (int i = 0; i < steps; ++i) {
    const auto v = *rc::gen::element(verdict::success, verdict::failure, verdict::ignored);
    subject.record(v, instant{});
    if (v == verdict::success) tokens = std::min(most, tokens + ratio);
    if (v == verdict::failure) tokens = std::max<std::int64_t>(0, tokens - 1000);
    RC_ASSERT(subject.try_withdraw(instant{}) == (tokens * 2 > most));
    RC_ASSERT(std::llround(subject.balance(instant{}) * 1000) == tokens);
  }
}

}  // namespace
}  // namespace dspu::core
