#include "dspu/core/probe_places.hpp"

#include <algorithm>

namespace dspu::core {

probe_places::probe_places(duration lifetime, std::int64_t most) : lifetime_(lifetime) {
  started_.reserve(static_cast<std::size_t>(most));
}

void probe_places::take(instant now) {
  ++taken_;
  if (lent_for_a_time()) started_.push_back(now);
}

bool probe_places::give_back(instant started) {
  if (lent_for_a_time()) {
    const auto found = std::ranges::find(started_, started);
    if (found == started_.end()) return false;
    started_.erase(found);
  }
  --taken_;
  return true;
}

std::int64_t probe_places::give_up(instant now) {
  if (!lent_for_a_time()) return 0;
  const auto lost = std::erase_if(started_, [&](instant t) { return now >= add_saturating(t, *lifetime_); });
  taken_ -= static_cast<std::int64_t>(lost);
  return static_cast<std::int64_t>(lost);
}

void probe_places::clear() {
  taken_ = 0;
  started_.clear();
}

bool probe_places::adopt(const probe_places& other) {
  if (lent_for_a_time() != other.lent_for_a_time()) return other.taken_ == 0;
  taken_ = other.taken_;
  started_.insert(started_.end(), other.started_.begin(), other.started_.end());
  return true;
}

std::optional<instant> probe_places::next_lost() const {
  if (started_.empty()) return std::nullopt;
  return add_saturating(*std::ranges::min_element(started_), *lifetime_);
}

}  // namespace dspu::core
