// The newest outcomes, counted: of the last so many calls, or of the last so long.
//
//   calls   a ring of one byte a call; the oldest makes room for the newest
//   time    a ring of buckets, each a share of the time. A bucket begins at a multiple of its width, so a call that ends
//           on an edge belongs to the later one. The window is the newest bucket and those before it: a call
//           counts for at least time − time/buckets and at most `time`
//
//   ┆ dropped ┆████│████│████│████│██  ┆
//             └── buckets ────────┴─ now
//
// Sums are kept as calls come and go, so recording and counting cost the same at any size; after a pause of any
// length at most all buckets are cleared once. A clock that steps back changes nothing: what ends "before" the newest
// bucket is counted in it. Allocates at construction only. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace dspu::core {

struct outcome_counts {
  std::int64_t calls = 0;
  std::int64_t failures = 0;
  std::int64_t slow = 0;

  // Shares of the calls, in [0, 1]; 0 without calls. One correctly rounded division, so that 7 of 100 is 0.07.
  constexpr double failure_rate() const { return share(failures); }
  constexpr double slow_rate() const { return share(slow); }

  constexpr outcome_counts& operator+=(const outcome_counts& o) {
    calls += o.calls;
    failures += o.failures;
    slow += o.slow;
    return *this;
  }
  constexpr outcome_counts& operator-=(const outcome_counts& o) {
    calls -= o.calls;
    failures -= o.failures;
    slow -= o.slow;
    return *this;
  }
  friend constexpr bool operator==(const outcome_counts&, const outcome_counts&) = default;

 private:
  constexpr double share(std::int64_t n) const {
    return calls == 0 ? 0.0 : static_cast<double>(n) / static_cast<double>(calls);
  }
};

// The newest `size` calls. Requires: size >= 1.
class call_window {
 public:
  explicit call_window(std::int64_t size) : ring_(static_cast<std::size_t>(size)) {}

  void record(bool failed, bool slow);
  const outcome_counts& counts() const { return sums_; }
  void clear();

 private:
  struct entry {
    bool taken : 1 = false;
    bool failed : 1 = false;
    bool slow : 1 = false;
  };
  std::vector<entry> ring_;
  std::size_t next_ = 0;
  outcome_counts sums_;
};

// The calls of the last `time`. Requires: time > 0, buckets >= 1.
class time_window {
 public:
  time_window(duration time, std::int64_t buckets);

  void record(instant now, bool failed, bool slow);
  outcome_counts counts(instant now) const;
  // Those of the moment of the last record().
  const outcome_counts& counts() const { return sums_; }
  void clear();

 private:
  std::int64_t index_of(instant now) const;
  // The bucket that is `back` older than that of an index. Requires: 0 <= back < buckets.
  std::size_t place_of(std::int64_t index, std::size_t back = 0) const;
  // How many buckets leave the window by `now`, the oldest first.
  std::size_t leaving(instant now) const;

  duration width_;
  std::vector<outcome_counts> ring_;
  std::int64_t newest_ = 0;        // index of the newest bucket: its start / width, rounded down
  instant end_ = instant::min();   // of the newest bucket
  outcome_counts sums_;
};

// What kind of window, if any, and how large. At most one of the two is set.
struct window_extent {
  std::optional<std::int64_t> calls = std::nullopt;
  std::optional<duration> time = std::nullopt;
  std::int64_t buckets = 10;  // of `time`

  friend bool operator==(const window_extent&, const window_extent&) = default;
};

// Either of the two, or none that counts nothing.
class outcome_window {
 public:
  outcome_window() = default;
  explicit outcome_window(const window_extent& extent);

  explicit operator bool() const { return window_.index() != 0; }
  void record(instant now, bool failed, bool slow);
  outcome_counts counts(instant now) const;
  outcome_counts counts() const;
  void clear();

 private:
  std::variant<std::monostate, call_window, time_window> window_;
};

}  // namespace dspu::core
