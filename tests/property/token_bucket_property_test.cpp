// The token bucket against exact rational arithmetic: nothing drifts, nothing is minted, and every reported
// wait is right to the nanosecond.
#include "dspu/core/token_bucket.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;
using wide = unsigned __int128;
using units = token_bucket::units;

constexpr instant start{1234567890ns};
constexpr std::int64_t fifty_years = 50LL * 365 * 86400 * 1'000'000'000 + 13LL * 86400 * 1'000'000'000;

// Rates that users write and rates that no decimal can say, from 1e-3 to 1e9 a second.
rc::Gen<double> any_rate() {
  return rc::gen::oneOf(
      rc::gen::element(1e-3, 1.0 / 3, 0.1, 1.0, 10.0, 99.9, 1e3, 12345.678, 1e6, 1e9),
      rc::gen::map(rc::gen::inRange(-3000, 9001), [](int e) { return std::pow(10.0, e / 1000.0); }));
}

struct setup {
  double rate;
  double capacity;
};

void showValue(const setup& s, std::ostream& os) { os << "rate " << s.rate << ", capacity " << s.capacity; }

rc::Gen<setup> any_setup() {
  return rc::gen::apply(
      [](double rate, int percent) {
        return setup{rate, std::max(rate * percent / 100, 1e-9)};
      },
      any_rate(), rc::gen::inRange(1, 1000));
}

token_bucket bucket_of(const setup& s) {
  return token_bucket({.rate = s.rate, .capacity = s.capacity}, start);
}

// floor(rate · scale · t / 1 s), in integers: the rate is a double, so a whole number times a power of two.
units made_exactly(double rate, double granularity, std::int64_t t) {
  int exponent = 0;
  const auto mantissa = static_cast<std::uint64_t>(std::ldexp(std::frexp(rate, &exponent), 53));
  exponent += -53 - std::ilogb(granularity);
  RC_ASSERT(exponent <= 0);
  const wide denominator = wide{1'000'000'000} << -exponent;
  return static_cast<units>(wide{mantissa} * static_cast<std::uint64_t>(t) / denominator);
}

units capacity_units(const token_bucket& b) {
  return static_cast<units>(std::llround(b.capacity() / b.granularity()));
}

RC_GTEST_PROP(TokenBucketProperty, MakesExactlyTheRateForFiftyYears, ()) {
  const double rate = *any_rate();
  const auto t = *rc::gen::oneOf(rc::gen::inRange<std::int64_t>(0, fifty_years + 1),
                                 rc::gen::map(rc::gen::inRange<std::int64_t>(0, 1'000'000'000),
                                              [](std::int64_t ns) { return fifty_years - ns; }),
                                 rc::gen::inRange<std::int64_t>(0, 1'000'000'000));
  const token_bucket b({.rate = rate, .capacity = 1.0}, start);
  RC_ASSERT(b.made(start + duration{t}) == made_exactly(rate, b.granularity(), t));
}

RC_GTEST_PROP(TokenBucketProperty, ReportsWaitsThatAreExactToTheNanosecond, ()) {
  const setup s = *any_setup();
  const auto b = bucket_of(s);
  const units most = capacity_units(b);
  const double to_full = s.capacity / s.rate * 1e9;  // ns
  token_bucket::level level = *b.take(0, most, start);
  instant now = start;
  int waits = 0;
  for (int i = 0; i < 20; ++i) {
    const units n = *rc::gen::inRange<units>(1, most + 1);
    const auto due = b.ready_at(level, n);
    if (due > now) {
      RC_ASSERT(!b.take(level, n, due - 1ns));
      RC_ASSERT(!b.take(level, n, now));
      now = due;
      ++waits;
    }
    const auto next = b.take(level, n, now);
    RC_ASSERT(next.has_value());
    level = *next;
    now += duration{static_cast<std::int64_t>(to_full * *rc::gen::inRange(0, 50) / 100)};
    if (now - start > duration{fifty_years}) break;
  }
  RC_ASSERT(waits > 0);  // the first at least: the bucket is empty then
}

struct admitted {
  instant at;
  units n;
};

// A window [t, t + w] may hold the capacity and what the rate makes in w; made() rounds down, hence the one.
void check_windows(const token_bucket& b, const std::vector<admitted>& log) {
  for (std::size_t first = 0; first < log.size(); ++first) {
    units sum = 0;
    for (std::size_t last = first; last < log.size(); ++last) {
      sum += log[last].n;
      RC_ASSERT(sum <= capacity_units(b) + b.made(log[last].at) - b.made(log[first].at));
    }
  }
}

RC_GTEST_PROP(TokenBucketProperty, ConservesTokensExactlyAndNeverExceedsItsCapacity, ()) {
  const setup s = *any_setup();
  const auto b = bucket_of(s);
  const units most = capacity_units(b);
  const double to_full = s.capacity / s.rate * 1e9;  // ns
  token_bucket::level level = 0;
  instant now = start;
  units there = most;  // the oracle: what is there, with what is made added and what is taken subtracted
  std::vector<admitted> log;
  for (int i = 0; i < 100; ++i) {
    const auto percent = *rc::gen::inRange(0, 150);
    const instant then = now + duration{static_cast<std::int64_t>(to_full * percent * percent / 1e4)};
    if (then - start > duration{fifty_years}) break;
    const auto t0 = (now - start).count();
    const auto t1 = (then - start).count();
    there = std::min(
        most, there + made_exactly(s.rate, b.granularity(), t1) - made_exactly(s.rate, b.granularity(), t0));
    now = then;
    RC_ASSERT(b.available(level, now) <= b.capacity() * (1 + 1e-12) + b.granularity());
    RC_ASSERT(std::llround(b.available(level, now) / b.granularity()) == there || most > (units{1} << 53));
    const units n = *rc::gen::inRange<units>(1, most + 1);
    const auto next = b.take(level, n, now);
    RC_ASSERT(next.has_value() == (n <= there));
    if (!next) continue;
    level = *next;
    there -= n;
    log.push_back({now, n});
  }
  check_windows(b, log);
}

RC_GTEST_PROP(TokenBucketProperty, GivesNothingAwayToAClockThatStepsBack, ()) {
  const setup s = *any_setup();
  const auto b = bucket_of(s);
  const units most = capacity_units(b);
  token_bucket::level level = 0;
  instant now = start;
  instant latest = start;
  units taken = 0;
  for (int i = 0; i < 50; ++i) {
    now += duration{*rc::gen::inRange<std::int64_t>(-20'000'000'000, 30'000'000'000)};
    latest = std::max(latest, now);
    const units n = *rc::gen::inRange<units>(1, most + 1);
    if (const auto next = b.take(level, n, now)) {
      level = *next;
      taken += n;
    }
    RC_ASSERT(taken <= most + b.made(latest));
    RC_ASSERT(b.available(level, now) >= 0);
  }
}

}  // namespace
}  // namespace dspu::core
