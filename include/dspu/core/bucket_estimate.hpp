// The rate of a server's token bucket, from the calls that it admitted between two that it refused.
//
//   bucket_estimate bucket(now);           // a full bucket
//   bucket.sent(now); …                    // calls that went, and are not known to be refused
//   bucket.turn(now);                      // the pace changes, or a pause has ended
//   const rate_range r = bucket.at_refusal(t, 0, gap);
//   bucket.empty_at(t, 0);                 // the next stretch begins: the refused call found it empty
//
// A token bucket that refuses holds less than one token. So the rate is the one at which a bucket that was
// empty at the beginning of the stretch (or full, for the first one), that filled while calls were few,
// overflowed at its depth and gave a token to each call, holds less than one at the end. at_refusal() replays
// the stretch for rates in question and gives the range of those that are possible. While nothing overflowed,
// that is (calls ± 1) / time.
//
// The depth is what was admitted before the first refusal, less what was made meanwhile.
//
// Memory is fixed: a stretch is kept as a few segments of even pace. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace dspu::core {

struct rate_range {
  double low = 0;  // calls per second
  double high = 0;
};

class bucket_estimate {
 public:
  explicit bucket_estimate(instant now) { begin(now, 0); }

  void sent(instant now);
  // One that was sent did not take a token.
  void lost() { ++lost_; }
  void turn(instant now);

  // The rates at which a call that was sent at `t`, `after` calls before the last one and `gap` after the one
  // before it, is refused for want of a token.
  rate_range at_refusal(instant t, std::int64_t after, duration gap) const;
  // The tokens that a bucket of this rate would hold now; below 0: it admits more.
  double tokens(double rate, instant now) const;
  void empty_at(instant t, std::int64_t after);

  // What is admitted at once, if the rate is this.
  double depth(double rate) const;
  std::int64_t calls() const;
  instant since() const { return segments_[0].begin; }

 private:
  struct segment {
    instant begin{};
    std::int64_t calls = 0;
  };
  struct ending {
    double least = 0;  // of the tokens after any segment
    double last = 0;   // tokens at the end
  };
  static constexpr std::size_t most = 16;

  void begin(instant now, std::int64_t calls);
  ending replay(double rate, instant t, std::int64_t after, duration gap) const;

  std::array<segment, most> segments_{};
  std::size_t count_ = 0;
  std::int64_t lost_ = 0;
  bool full_ = true;        // at the beginning of the stretch; else empty
  double first_calls_ = 0;  // admitted in the first stretch
  double first_span_ = 0;   // s
  bool depth_known_ = false;
};

}  // namespace dspu::core
