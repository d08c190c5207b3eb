// The places of a half-open breaker's probes: how many are taken and, if they are lent for a time, since when.
//
// A probe is known by the instant it began: two that began at the same instant are also lost at the same one, so it
// does not matter which of them is meant. Allocates at construction only, but for adopt(). Not synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace dspu::core {

class probe_places {
 public:
  // Lent until given back.
  probe_places() = default;
  // Lent for `lifetime`, at most `most` at once.
  probe_places(duration lifetime, std::int64_t most);

  // Requires: fewer than `most` are taken.
  void take(instant now);
  // False if the probe that began then was given up: its place is not its own any more.
  bool give_back(instant started);
  // Takes back what was lent for too long. Returns: how many.
  std::int64_t give_up(instant now);
  void clear();
  // Takes over the probes that are out under other terms. False if their instants are unknown and now wanted, or
  // known and not any more: then none is taken over. Allocates.
  bool adopt(const probe_places& other);

  std::int64_t taken() const { return taken_; }
  // When the next probe is lost, if it does not end before.
  std::optional<instant> next_lost() const;

 private:
  bool lent_for_a_time() const { return lifetime_.has_value(); }

  std::optional<duration> lifetime_;
  std::int64_t taken_ = 0;
  std::vector<instant> started_;  // of those taken, if they are lent for a time
};

}  // namespace dspu::core
