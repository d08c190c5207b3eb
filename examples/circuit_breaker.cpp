// A breaker that opens after three failures, refuses for 50 ms, then lets probes through until it closes.
#include <dspu/aio/circuit_breaker.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <stdexcept>

namespace asio = boost::asio;
using namespace dspu::aio;
using namespace std::chrono_literals;

bool service_is_down = true;

asio::awaitable<int> service() {
  if (service_is_down) throw std::runtime_error("connection refused");
  co_return 200;
}

const char* name(circuit_state s) {
  return s == circuit_state::closed ? "closed" : s == circuit_state::open ? "open" : "half-open";
}

asio::awaitable<void> call(circuit_breaker& breaker) {
  try {
    std::printf("  %d\n", co_await breaker.call(service));
  } catch (const circuit_breaker_error&) {
    std::puts("  refused, the service was not called");
  } catch (const std::exception& e) {
    std::printf("  failed: %s\n", e.what());
  }
}

asio::awaitable<void> run() {
  circuit_breaker breaker{{.failure_threshold = 3, .success_threshold = 2, .timeout = 50ms,
                           .on_state_change = [](circuit_state from, circuit_state to) {
                             std::printf("%s -> %s\n", name(from), name(to));
                           }}};
  for (int i = 0; i < 4; ++i) co_await call(breaker);

  service_is_down = false;
  asio::steady_timer pause(co_await asio::this_coro::executor, 60ms);
  co_await pause.async_wait(asio::use_awaitable);
  for (int i = 0; i < 3; ++i) co_await call(breaker);
}

int main() {
  asio::io_context context{1};
  asio::co_spawn(context, run(), asio::detached);
  context.run();
}
