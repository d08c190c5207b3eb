// A commit that must not be cut off: its caller runs into a timeout, the commit goes on, and shutdown waits for it. In
// simulated time.
#include <dspu/aio/shield.hpp>
#include <dspu/testing/simulator.hpp>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace dspu::aio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;

asio::awaitable<void> commit() {
  dspu::testing::manual_timer timer(co_await asio::this_coro::executor, 5s);
  co_await timer.async_wait(asio::use_awaitable);
  std::puts("committed");
}

asio::awaitable<void> run() {
  shield_scope scope;
  try {
    auto shielded = scope.run(commit());
    co_await run_with_timeout<manual_clock>(std::move(shielded), 1s);
  } catch (const async_timeout_error&) {
    std::printf("the caller has gone, %zu outstanding\n", scope.outstanding());
  }
  const bool in_time = co_await scope.join<manual_clock>(10s);
  std::printf("joined: %s, %zu outstanding\n", in_time ? "yes" : "no", scope.outstanding());
}

int main() {
  dspu::testing::simulator sim;
  sim.run(run());
}
