// Adds up how long something was kept waiting, and by what.
#pragma once

#include "dspu/core/duration.hpp"
#include "dspu/record.hpp"

#include <array>
#include <cstddef>

namespace dspu::app {

// Time by wait_reason.
class wait_totals {
 public:
  core::duration& operator[](wait_reason reason) { return times_[static_cast<std::size_t>(reason)]; }
  core::duration operator[](wait_reason reason) const { return times_[static_cast<std::size_t>(reason)]; }

  wait_totals& operator+=(const wait_totals& other) {
    for (std::size_t i = 0; i < times_.size(); ++i) times_[i] += other.times_[i];
    return *this;
  }
  friend wait_totals operator-(wait_totals a, const wait_totals& b) {
    for (std::size_t i = 0; i < a.times_.size(); ++i) a.times_[i] -= b.times_[i];
    return a;
  }

 private:
  std::array<core::duration, wait_reason_count> times_{};
};

// A stopwatch that always runs for exactly one reason.
class wait_ledger {
 public:
  explicit wait_ledger(core::instant now) : since_(now) {}

  void turn_to(wait_reason reason, core::instant now) {
    totals_ = at(now);
    reason_ = reason;
    since_ = now;
  }
  void add(const wait_totals& more) { totals_ += more; }

  wait_totals at(core::instant now) const {
    wait_totals totals = totals_;
    totals[reason_] += now - since_;
    return totals;
  }
  wait_reason reason() const { return reason_; }

 private:
  wait_totals totals_;
  wait_reason reason_ = wait_reason::none;
  core::instant since_;
};

}  // namespace dspu::app
