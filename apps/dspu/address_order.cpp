#include "dspu/address_order.hpp"

#include <algorithm>

namespace dspu::app {

namespace {

constexpr std::size_t max_remembered = 4096;

}  // namespace

std::optional<std::size_t> address_race::next(instant now) {
  if (started_ == addresses_ || now < next_at_) return std::nullopt;
  next_at_ = now + delay_;
  return started_++;
}

void address_race::failed() {
  ++failed_;
  next_at_ = instant::min();
}

void answered_addresses::sort(const std::string& host,
                              std::vector<boost::asio::ip::address>& addresses) const {
  const auto known = by_host_.find(host);
  if (known == by_host_.end()) return;
  const auto place = std::ranges::find(addresses, known->second);
  if (place != addresses.end()) std::rotate(addresses.begin(), place, place + 1);
}

void answered_addresses::answered(const std::string& host, const boost::asio::ip::address& address) {
  if (by_host_.size() >= max_remembered && !by_host_.contains(host)) by_host_.clear();
  by_host_[host] = address;
}

}  // namespace dspu::app
