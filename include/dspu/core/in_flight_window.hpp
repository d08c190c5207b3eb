// How many calls may be in flight: a slow start, and a limit that is learnt if refusals turn out to depend on
// it.
//
// Opening: the window begins small and grows with each call that is admitted, e-fold in `open_time` or at
// most by `fastest` in a round trip, as TCP's slow start does (RFC 9438, RFC 5681); a call that is refused is
// not replaced (as in RFC 6937). So what is refused when the server has nothing left is a share of what it
// admitted.
//
// Learnt: if among the calls that were sent since the last few refusals all that were admitted had fewer in
// flight than those refused, then this is what the server limits. Refusals for their rate come at any number.
//
// Not synchronised: one user at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace dspu::core {

class in_flight_window {
 public:
  enum class kind { opening, unlimited, learnt };

  void open() { *this = {}; }
  void lift() { kind_ = kind::unlimited; }

  kind state() const { return kind_; }
  std::int64_t limit() const { return static_cast<std::int64_t>(limit_); }
  bool full(std::int64_t in_flight) const { return kind_ != kind::unlimited && in_flight >= limit(); }

  // A call that was sent as the `in_flight`th was admitted; calls take `rtt` seconds.
  void admitted(std::int64_t serial, std::int64_t in_flight, double rtt) {
    if (kind_ == kind::opening && 2 * in_flight >= limit())
      limit_ += std::clamp(rtt / open_time, 0.05, fastest);
    if (serial <= seen_[0].serial) return;
    ++seen_[0].admitted;
    seen_[0].most = std::max(seen_[0].most, in_flight);
  }

  // One was refused. Returns: whether it is the number in flight that the server limits; then the limit is
  // learnt.
  bool refused(std::int64_t serial, std::int64_t in_flight) {
    if (kind_ == kind::opening) limit_ = std::max(1.0, limit_ - 1);
    if (serial <= seen_[0].serial) return false;
    std::int64_t least_refused = in_flight;
    std::int64_t most_admitted = 0;
    std::int64_t admitted = 0;
    for (const auto& s : seen_) {
      least_refused = std::min(least_refused, s.in_flight);
      most_admitted = std::max(most_admitted, s.most);
      admitted += s.admitted;
    }
    std::move_backward(seen_.begin(), seen_.end() - 1, seen_.end());
    seen_[0] = {serial, in_flight, 0, 0};
    if (admitted < enough || most_admitted >= least_refused) return false;
    learn(most_admitted);
    return true;
  }
  void learn(std::int64_t limit) {
    kind_ = kind::learnt;
    limit_ = static_cast<double>(std::max<std::int64_t>(limit, 1));
    seen_ = {};
  }

 private:
  static constexpr double open_time = 0.05;  // s
  static constexpr double fastest = 0.5;
  static constexpr std::int64_t enough = 16;  // admitted calls to judge by

  struct refusal {
    std::int64_t serial = 0;
    std::int64_t in_flight = 0;  // 0: there is none
    std::int64_t most = 0;       // in flight with a call that was admitted since
    std::int64_t admitted = 0;   // since
  };

  kind kind_ = kind::opening;
  double limit_ = 4;
  std::array<refusal, 3> seen_{};  // the last ones, the newest first
};

}  // namespace dspu::core
