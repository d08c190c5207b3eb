// Whether refusals go on at the same share however slowly calls go: then they do not depend on the pace.
//
//   refusal_share share;
//   share.admitted(pace);
//   if (share.refused(pace)) …   // share.value() of all calls is refused, by chance
//
// A limit refuses calls in rows while nothing is left, and hardly any once calls come more slowly than it admits. Refusals by
// chance stand alone: the call after one is refused as rarely as any other, at a fourth of the pace as well. Not synchronised: one user at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace dspu::core {

class refusal_share {
 public:
  // At a pace of so many calls a second.
  void admitted(double pace) {
    fastest_ = std::max(fastest_, pace);
    ++calls_;
    in_row_ = false;
  }
  // Returns: whether that has become likely.
  bool refused(double pace) {
    ++calls_;
    ++(in_row_ ? repeated_ : alone_);
    in_row_ = true;
    return alone_ >= needed_ && pace <= fastest_ / 4 && 2 * repeated_ <= alone_ && value() >= least && value() <= most;
  }
  double value() const { return static_cast<double>(alone_ + repeated_) / static_cast<double>(calls_); }

  // Calls go by a pace from now on. If they were said to be refused by chance before, that was wrong: more has to be seen.
  void restart(bool was_wrong) {
    calls_ = alone_ = repeated_ = 0;
    in_row_ = false;
    fastest_ = 0;
    if (was_wrong) needed_ *= 4;
  }

 private:
  // Fewer are what probes cost; more is no service.
  static constexpr double least = 0.04;
  static constexpr double most = 0.35;

  std::int64_t needed_ = 5;
  std::int64_t calls_ = 0;
  std::int64_t alone_ = 0;
  std::int64_t repeated_ = 0;
  double fastest_ = 0;  // pace at which a call was admitted
  bool in_row_ = false;
};

}  // namespace dspu::core
