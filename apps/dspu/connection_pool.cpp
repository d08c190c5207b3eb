#include "dspu/connection_pool.hpp"

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
    by_age_.erase(youngest);
  }
  if (positions.empty()) by_key_.erase(found);
  return result;
}

void connection_pool::give_back(const std::string& key, std::unique_ptr<connection> c,
                                clock::time_point now) {
  drop_expired(now);
  if (limits_.per_key == 0 || limits_.total == 0) return;
  const auto found = by_key_.find(key);
  if (found != by_key_.end() && found->second.size() >= limits_.per_key) drop_oldest_of(key);
  if (by_age_.size() >= limits_.total) drop_oldest_of(by_age_.front().key);
  by_age_.push_back({key, std::move(c), now});
  by_key_[key].push_back(std::prev(by_age_.end()));
}

void connection_pool::drop_oldest_of(const std::string& key) {
  const auto found = by_key_.find(key);
  const position oldest = found->second.front();
  found->second.erase(found->second.begin());
  if (found->second.empty())
    by_key_.erase(found);  // `key` may live in the node erased next: not used any more
  by_age_.erase(oldest);
}

void connection_pool::drop_expired(clock::time_point now) {
  while (!by_age_.empty() && now - by_age_.front().since >= limits_.lifetime)
    drop_oldest_of(by_age_.front().key);
}

void connection_pool::clear() {
  by_key_.clear();
  by_age_.clear();
}

}  // namespace dspu::app
