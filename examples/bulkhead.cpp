// A database that bears two queries at once: two run, two wait in line, and the fifth is told so at once.
#include <dspu/aio/bulkhead.hpp>
#include <dspu/aio/gather.hpp>
#include <dspu/testing/simulator.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <ranges>

namespace asio = boost::asio;
using namespace std::chrono_literals;

dspu::testing::simulator sim;
dspu::aio::bulkhead narrow{{.limit = 2, .max_queue = 2}};

asio::awaitable<int> query(int n) {
  dspu::testing::manual_timer timer(co_await asio::this_coro::executor, 1s + n * 100ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return n;
}

asio::awaitable<void> ask(int n) {
  try {
    co_await narrow.call(query, n);
    std::printf("query %d answered after %lld ms\n", n, static_cast<long long>(sim.elapsed() / 1ms));
  } catch (const dspu::aio::bulkhead_full_error& e) {
    std::printf("query %d refused: %lld run, %lld wait\n", n, static_cast<long long>(e.limit()),
                static_cast<long long>(e.waiting()));
  }
}

int main() { sim.run(dspu::aio::map_with_limit(std::views::iota(1, 6), ask, {.limit = 5})); }
