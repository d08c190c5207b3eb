// The names this layer takes from Boost, in one place.
#pragma once

#include "dspu/core/duration.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace dspu::aio {

namespace asio = boost::asio;
using boost::system::error_code;

using asio::awaitable;
using core::duration;

}  // namespace dspu::aio
