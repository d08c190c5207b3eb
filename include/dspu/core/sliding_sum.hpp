// A sum over the last `span` of time, in Slots steps: what was added expires between span − span/Slots and
// span later.
//
//   sliding_sum<10> failures(10s);      // 10 slots of a second, aligned to the timeline's epoch
//   failures.add(1, now);
//   failures.sum(now + 4s);             // 1
//
// Integers only, so that what expires is exactly what was added. A clock that steps back expires nothing, and
// what is added meanwhile counts in the newest slot. Memory is fixed. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace dspu::core {

template <std::size_t Slots>
class sliding_sum {
 public:
  // Requires: span > 0.
  explicit constexpr sliding_sum(duration span)
      : width_(span.count() / steps + (span.count() % steps != 0 ? 1 : 0)) {}

  constexpr void add(std::int64_t n, instant now) {
    advance(now);
    slots_[head_] += n;
    sum_ += n;
  }

  // Takes back, or corrects, something that was added at `then`; nothing happens if that has expired since,
  // so that a sum corrected to what it was stays so.
  constexpr void amend(std::int64_t n, instant then) {
    const auto age = static_cast<std::uint64_t>(newest_) - static_cast<std::uint64_t>(slot_of(then));
    if (age >= Slots) return;
    slots_[(head_ + Slots - static_cast<std::size_t>(age)) % Slots] += n;
    sum_ += n;
  }

  constexpr std::int64_t sum(instant now) {
    advance(now);
    return sum_;
  }

 private:
  static constexpr auto steps = static_cast<std::int64_t>(Slots);

  constexpr std::int64_t slot_of(instant t) const {
    const std::int64_t ns = t.time_since_epoch().count();
    return ns / width_ - (ns % width_ < 0 ? 1 : 0);
  }

  constexpr void advance(instant now) {
    const std::int64_t slot = slot_of(now);
    if (slot <= newest_) return;
    auto passed = static_cast<std::uint64_t>(slot) - static_cast<std::uint64_t>(newest_);
    if (passed > Slots) passed = Slots;
    newest_ = slot;
    for (; passed > 0; --passed) {
      head_ = (head_ + 1) % Slots;
      sum_ -= slots_[head_];
      slots_[head_] = 0;
    }
  }

  std::int64_t width_;
  std::int64_t newest_ = std::numeric_limits<std::int64_t>::min();  // the slot of time that head_ stands for
  std::size_t head_ = 0;
  std::int64_t sum_ = 0;
  std::array<std::int64_t, Slots> slots_{};
};

}  // namespace dspu::core
