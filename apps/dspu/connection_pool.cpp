#include "dspu/connection_pool.hpp"

#include <algorithm>
#include <cstddef>

namespace dspu::app {

namespace {

constexpr auto just_now = std::chrono::milliseconds(1);
// A server that closes after each answer has done so by then, however busy it is.
constexpr auto surely_kept = std::chrono::milliseconds(500);
// No server that keeps connections closes one sooner.
constexpr auto surely_open = std::chrono::seconds(1);

}  // namespace

bool connection_pool::server::is_trusted_with(std::chrono::nanoseconds idled) const {
  return !closes_early && idled < surely_open && (keeps || idled >= surely_kept);
}

connection_pool::taken connection_pool::take(const std::string& key, bool repeatable, clock::time_point now) {
  drop_expired(now);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return {};
  server& from = found->second;
  for (std::size_t i = from.idle.size(); i-- > 0;) {
    const position next = from.idle[i];
    const auto idled = now - next->since;
    if (!repeatable && !from.is_trusted_with(idled)) continue;
    from.idle.erase(from.idle.begin() + static_cast<std::ptrdiff_t>(i));
    const bool unseen = repeatable && idled < just_now;
    taken good;
    if (unseen || next->stream->stream().quiet())
      good = {std::move(next->stream), idled};
    else
      was_closed(key, idled);
    put_aside(next);
    if (good.stream) return good;
  }
  return {};
}

void connection_pool::was_closed(const std::string& key, std::chrono::nanoseconds idled) {
  if (idled < surely_open) by_key_[key].closes_early = true;
}

void connection_pool::give_back(const std::string& key, std::unique_ptr<connection> c, bool kept,
                                clock::time_point now) {
  drop_expired(now);
  if (limits_.per_key == 0 || limits_.total == 0) return;
  if (by_key_.size() >= keys_to_sweep_at_) forget_unused_keys();
  server& to = by_key_[key];
  if (kept) to.keeps = true;
  if (to.idle.size() >= limits_.per_key) {
    if (!to.keeps) return;  // those that have been idle for longer show whether it keeps them
    drop_oldest_of(key);
  }
  if (by_age_.size() >= limits_.total) drop_oldest();
  if (unused_.empty()) unused_.emplace_back();
  const position place = unused_.begin();
  place->key = key;
  place->stream = std::move(c);
  place->since = now;
  by_age_.splice(by_age_.end(), unused_, place);
  to.idle.push_back(place);
}

void connection_pool::put_aside(position which) {
  which->stream.reset();
  unused_.splice(unused_.begin(), by_age_, which);
}

void connection_pool::drop_oldest_of(const std::string& key) {
  auto& positions = by_key_.find(key)->second.idle;
  const position oldest = positions.front();
  positions.erase(positions.begin());
  put_aside(oldest);
}

void connection_pool::drop_expired(clock::time_point now) {
  while (!by_age_.empty() && now - by_age_.front().since >= limits_.lifetime) drop_oldest();
}

// Millions of hosts with a request or two each must not stay in memory.
void connection_pool::forget_unused_keys() {
  std::erase_if(by_key_, [](const auto& named) { return named.second.idle.empty(); });
  keys_to_sweep_at_ = std::max<std::size_t>(1024, 2 * by_key_.size());
}

void connection_pool::clear() {
  by_key_.clear();
  by_age_.clear();
}

}  // namespace dspu::app
