// TCP to whichever of a host's addresses answers first (address_order.hpp).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dspu::app {

struct tcp_connect_result {
  std::optional<boost::asio::ip::tcp::socket> socket;  // connected
  std::size_t which = 0;                               // of the addresses
  boost::system::error_code error;  // else: of the last that failed, or timed_out at the deadline
};

// Suspends: until one stands, all have failed, or `until`. Requires: there are addresses.
// On cancel: system_error(operation_aborted) at once; nothing stays open.
boost::asio::awaitable<tcp_connect_result> connect_to_any(boost::asio::any_io_executor executor,
                                                          std::vector<boost::asio::ip::address> addresses,
                                                          std::uint16_t port,
                                                          std::chrono::steady_clock::time_point until);

}  // namespace dspu::app
