// The simplest operation that takes its time, on the manual clock.
#pragma once

#include "dspu/testing/manual_clock.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dspu::test {

inline boost::asio::awaitable<int> after(testing::manual_clock::duration d, int value) {
  const auto executor = co_await boost::asio::this_coro::executor;
  testing::manual_timer timer(executor, d);
  co_await timer.async_wait(boost::asio::use_awaitable);
  co_return value;
}

}  // namespace dspu::test
