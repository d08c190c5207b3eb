// Which of a host's addresses is tried when (RFC 8305, "happy eyeballs"), and which first. Decisions only;
// the connector has the clock and the sockets.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace dspu::app {

// Attempts to connect to one address after the other: the next begins when one has failed, or when the newest
// has not answered within `delay`. Those before it go on, and the first that stands wins.
class address_race {
 public:
  using instant = std::chrono::steady_clock::time_point;

  // RFC 8305, section 5, recommends 250 ms.
  explicit address_race(std::size_t addresses,
                        std::chrono::nanoseconds delay = std::chrono::milliseconds(250))
      : addresses_(addresses), delay_(delay) {}

  // The address to try now, by its place in the list, if there is one; ask again until there is none.
  std::optional<std::size_t> next(instant now);
  // When there is another, unless an attempt fails before; instant::max() if there is none.
  instant next_at() const { return started_ < addresses_ ? next_at_ : instant::max(); }
  // An attempt has failed.
  void failed();
  // Whether all have.
  bool is_lost() const { return failed_ == addresses_; }

 private:
  std::size_t addresses_;
  std::chrono::nanoseconds delay_;
  std::size_t started_ = 0;
  std::size_t failed_ = 0;
  instant next_at_ = instant::min();
};

// Remembers which address of a host answered, so that a dead one in front costs time once and not for every
// connection.
class answered_addresses {
 public:
  // Moves the one that answered last to the front.
  void sort(const std::string& host, std::vector<boost::asio::ip::address>& addresses) const;
  void answered(const std::string& host, const boost::asio::ip::address& address);

 private:
  std::unordered_map<std::string, boost::asio::ip::address> by_host_;
};

}  // namespace dspu::app
