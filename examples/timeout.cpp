// A call that may take 20 ms, and one nested in another: each expiry is blamed on the timeout that it belongs to.
#include <dspu/aio/timeout.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace dspu::aio;
using namespace std::chrono_literals;

asio::awaitable<int> work(std::chrono::nanoseconds takes) {
  asio::steady_timer timer(co_await asio::this_coro::executor, takes);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 42;
}

asio::awaitable<void> run() {
  std::printf("in time: %d\n", co_await run_with_timeout(work(1ms), 10s));
  try {
    co_await run_with_timeout(work(1h), 20ms);
  } catch (const async_timeout_error& e) {
    std::printf("%s\n", e.what());
  }
  try {
    auto inner = run_with_timeout(work(1h), 10s);
    co_await run_with_timeout(std::move(inner), 20ms);
  } catch (const async_timeout_error& e) {
    std::printf("the outer one: %lld ms\n", static_cast<long long>(e.timeout() / 1ms));
  }
}

int main() {
  asio::io_context context{1};
  asio::co_spawn(context, run(), asio::detached);
  context.run();
}
