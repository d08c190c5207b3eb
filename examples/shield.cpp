// A commit that must not be cut off: its caller runs into a timeout, the commit goes on, and shutdown waits for it.
#include <dspu/aio/shield.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace dspu::aio;
using namespace std::chrono_literals;

asio::awaitable<void> commit() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
  co_await timer.async_wait(asio::use_awaitable);
  std::puts("committed");
}

asio::awaitable<void> run() {
  shield_scope scope;
  try {
    auto shielded = scope.run(commit());
    co_await run_with_timeout(std::move(shielded), 5ms);
  } catch (const async_timeout_error&) {
    std::printf("the caller has gone, %zu outstanding\n", scope.outstanding());
  }
  const bool in_time = co_await scope.join(10s);
  std::printf("joined: %s, %zu outstanding\n", in_time ? "yes" : "no", scope.outstanding());
}

int main() {
  asio::io_context context{1};
  asio::co_spawn(context, run(), asio::detached);
  context.run();
}
