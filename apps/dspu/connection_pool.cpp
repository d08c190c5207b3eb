#include "dspu/connection_pool.hpp"

#include <algorithm>

namespace dspu::app {

namespace {

constexpr auto just_now = std::chrono::milliseconds(1);

}  // namespace

std::unique_ptr<connection> connection_pool::take(const std::string& key, bool repeatable,
                                                  clock::time_point now) {
  drop_expired(now);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  auto& positions = found->second;
  std::unique_ptr<connection> result;
  while (!result && !positions.empty()) {
    const position youngest = positions.back();
    positions.pop_back();
    const bool trusted = repeatable && now - youngest->since < just_now;
    if (trusted || youngest->stream->stream().quiet()) result = std::move(youngest->stream);
    put_aside(youngest);
  }
  return result;
}

void connection_pool::give_back(const std::string& key, std::unique_ptr<connection> c,
                                clock::time_point now) {
  drop_expired(now);
  if (limits_.per_key == 0 || limits_.total == 0) return;
  if (by_key_.size() >= keys_to_sweep_at_) forget_unused_keys();
  auto& positions = by_key_[key];
  if (positions.size() >= limits_.per_key) drop_oldest_of(key);
  if (by_age_.size() >= limits_.total) drop_oldest();
  if (unused_.empty()) unused_.emplace_back();
  const position place = unused_.begin();
  place->key = key;
  place->stream = std::move(c);
  place->since = now;
  by_age_.splice(by_age_.end(), unused_, place);
  positions.push_back(place);
}

void connection_pool::put_aside(position which) {
  which->stream.reset();
  unused_.splice(unused_.begin(), by_age_, which);
}

void connection_pool::drop_oldest_of(const std::string& key) {
  auto& positions = by_key_.find(key)->second;
  const position oldest = positions.front();
  positions.erase(positions.begin());
  put_aside(oldest);
}

void connection_pool::drop_expired(clock::time_point now) {
  while (!by_age_.empty() && now - by_age_.front().since >= limits_.lifetime) drop_oldest();
}

// Millions of hosts with a request or two each must not stay in memory.
void connection_pool::forget_unused_keys() {
  std::erase_if(by_key_, [](const auto& named) { return named.second.empty(); });
  keys_to_sweep_at_ = std::max<std::size_t>(1024, 2 * by_key_.size());
}

void connection_pool::clear() {
  by_key_.clear();
  by_age_.clear();
}

}  // namespace dspu::app
