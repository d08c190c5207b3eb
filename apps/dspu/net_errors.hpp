// The words and kinds of what goes wrong on the network.
#pragma once

#include "dspu/transport.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/system/error_code.hpp>

#include <string>

namespace dspu::app {

// Throws: transport_error saying "who: what".
[[noreturn]] void fail(transport_failure kind, const std::string& who, const std::string& what);

// Throws: system_error(operation_aborted), the way a cancelled exchange ends.
[[noreturn]] void throw_cancelled();

// Asio ends an operation with operation_aborted for the caller's cancellation and for our own closing of the
// socket alike; only the state tells them apart. Nor is an operation that starts after the cancellation ever
// told of it, so whoever waits asks here first. Throws: as throw_cancelled, if the caller cancelled.
void throw_if_cancelled(const boost::asio::cancellation_state& state);

// The system's own words, without Asio's category prefixes.
std::string describe(const boost::system::error_code& error);

}  // namespace dspu::app
