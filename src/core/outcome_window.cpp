#include "dspu/core/outcome_window.hpp"

#include <algorithm>

namespace dspu::core {

namespace {

constexpr outcome_counts one_call(bool failed, bool slow) { return {1, failed ? 1 : 0, slow ? 1 : 0}; }

constexpr std::int64_t floor_remainder(std::int64_t a, std::int64_t b) { return a % b + (a % b < 0 ? b : 0); }

}  // namespace

void call_window::record(bool failed, bool slow) {
  entry& oldest = ring_[next_];
  if (oldest.taken) sums_ -= one_call(oldest.failed, oldest.slow);
  oldest = {true, failed, slow};
  sums_ += one_call(failed, slow);
  if (++next_ == ring_.size()) next_ = 0;
}

void call_window::clear() {
  std::ranges::fill(ring_, entry{});
  next_ = 0;
  sums_ = {};
}

time_window::time_window(duration time, std::int64_t buckets)
    : width_(time / buckets + duration{time.count() % buckets != 0 ? 1 : 0}),
      ring_(static_cast<std::size_t>(buckets)) {}

std::int64_t time_window::index_of(instant now) const {
  const std::int64_t t = now.time_since_epoch().count();
  return t / width_.count() - (t % width_.count() < 0 ? 1 : 0);
}

std::size_t time_window::place_of(std::int64_t index, std::size_t back) const {
  const auto size = ring_.size();
  const auto place = static_cast<std::size_t>(floor_remainder(index, static_cast<std::int64_t>(size)));
  return (place + size - back) % size;
}

std::size_t time_window::leaving(instant now) const {
  if (now < end_) return 0;
  // Unsigned, for two instants may lie further apart than a signed number says.
  const auto steps = static_cast<std::uint64_t>(index_of(now)) - static_cast<std::uint64_t>(newest_);
  return std::min<std::uint64_t>(steps, ring_.size());
}

void time_window::record(instant now, bool failed, bool slow) {
  if (now >= end_) {
    const std::int64_t index = index_of(now);
    // Those that leave are those whose places the new ones take.
    for (std::size_t left = leaving(now); left > 0; --left) {
      outcome_counts& reused = ring_[place_of(index, left - 1)];
      sums_ -= reused;
      reused = {};
    }
    newest_ = index;
    end_ = add_saturating(now, width_ - duration{floor_remainder(now.time_since_epoch().count(), width_.count())});
  }
  const outcome_counts call = one_call(failed, slow);
  ring_[place_of(newest_)] += call;
  sums_ += call;
}

outcome_counts time_window::counts(instant now) const {
  outcome_counts kept = sums_;
  for (std::size_t left = leaving(now); left > 0; --left) kept -= ring_[place_of(newest_, ring_.size() - left)];
  return kept;
}

void time_window::clear() {
  std::ranges::fill(ring_, outcome_counts{});
  newest_ = 0;
  end_ = instant::min();
  sums_ = {};
}

outcome_window::outcome_window(const window_extent& extent) {
  if (extent.calls) window_.emplace<call_window>(*extent.calls);
  if (extent.time) window_.emplace<time_window>(*extent.time, extent.buckets);
}

void outcome_window::record(instant now, bool failed, bool slow) {
  if (auto* calls = std::get_if<call_window>(&window_)) return calls->record(failed, slow);
  if (auto* time = std::get_if<time_window>(&window_)) time->record(now, failed, slow);
}

outcome_counts outcome_window::counts(instant now) const {
  if (const auto* time = std::get_if<time_window>(&window_)) return time->counts(now);
  return counts();
}

outcome_counts outcome_window::counts() const {
  if (const auto* calls = std::get_if<call_window>(&window_)) return calls->counts();
  if (const auto* time = std::get_if<time_window>(&window_)) return time->counts();
  return {};
}

void outcome_window::clear() {
  if (auto* calls = std::get_if<call_window>(&window_)) calls->clear();
  if (auto* time = std::get_if<time_window>(&window_)) time->clear();
}

}  // namespace dspu::core
