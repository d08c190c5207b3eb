// The windows against lists of all that ever happened.
#include "dspu/core/outcome_window.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>

namespace dspu::core {
namespace {

struct event {
  __int128 bucket;  // which multiple of the width it is counted in
  bool failed;
  bool slow;
};

template <class Events>
outcome_counts count(const Events& events) {
  outcome_counts sum;
  for (const event& e : events) sum += {1, e.failed ? 1 : 0, e.slow ? 1 : 0};
  return sum;
}

bool any_bool() { return *rc::gen::arbitrary<bool>(); }

RC_GTEST_PROP(CallWindowProperty, CountsTheNewest, ()) {
  const auto size = *rc::gen::inRange<std::int64_t>(1, 12);
  call_window subject(size);
  std::deque<event> newest;
  for (int i = 0; i < 100; ++i) {
    const event e{0, any_bool(), any_bool()};
    subject.record(e.failed, e.slow);
    newest.push_back(e);
    if (std::ssize(newest) > size) newest.pop_front();
    RC_ASSERT(subject.counts() == count(newest));
    if (*rc::gen::inRange(0, 30) == 0) {
      subject.clear();
      newest.clear();
    }
  }
}

// What the documentation says of time, in numbers that cannot overflow.
struct time_oracle {
  __int128 width;
  __int128 buckets;
  std::deque<event> all{};
  __int128 newest = std::numeric_limits<std::int64_t>::min();

  __int128 bucket_of(std::int64_t now) const {
    const __int128 t = now;
    return t >= 0 ? t / width : -((-t + width - 1) / width);
  }
  void record(std::int64_t now, bool failed, bool slow) {
    newest = all.empty() ? bucket_of(now) : std::max(newest, bucket_of(now));
    all.push_back({newest, failed, slow});
  }
  outcome_counts counts(std::int64_t now) const {
    const __int128 last = std::max(newest, bucket_of(now));
    std::deque<event> kept;
    std::ranges::copy_if(all, std::back_inserter(kept), [&](const event& e) { return e.bucket > last - buckets; });
    return count(kept);
  }
};

// Onto edges, beside them, back a little, and now and then 2^31 buckets ahead.
std::int64_t any_step(std::int64_t now, std::int64_t width) {
  const std::int64_t to_edge = width - ((now % width) + width) % width;
  switch (*rc::gen::inRange(0, 8)) {
    case 0: return 0;
    case 1: return to_edge;
    case 2: return to_edge - 1;
    case 3: return to_edge + *rc::gen::inRange<std::int64_t>(0, 12) * width;
    case 4: return -*rc::gen::inRange<std::int64_t>(0, 3 * width);
    case 5: return *rc::gen::inRange(0, 10) == 0 ? width << 31 : 1;
    default: return *rc::gen::inRange<std::int64_t>(0, 2 * width);
  }
}

RC_GTEST_PROP(TimeWindowProperty, CountsTheBucketsUpToNowHoweverTimeGoes, ()) {
  const auto buckets = *rc::gen::inRange<std::int64_t>(1, 8);
  const auto time = *rc::gen::inRange<std::int64_t>(buckets, 1'000);
  time_window subject(duration{time}, buckets);
  const std::int64_t width = (time + buckets - 1) / buckets;
  time_oracle oracle{width, buckets};
  std::int64_t now = *rc::gen::inRange<std::int64_t>(-5'000, 5'000);
  for (int i = 0; i < 100; ++i) {
    now += any_step(now, width);
    if (any_bool()) {
      const bool failed = any_bool();
      const bool slow = any_bool();
      subject.record(instant{duration{now}}, failed, slow);
      oracle.record(now, failed, slow);
      RC_ASSERT(subject.counts() == oracle.counts(now));
    }
    RC_ASSERT(subject.counts(instant{duration{now}}) == oracle.counts(now));
  }
}

}  // namespace
}  // namespace dspu::core
