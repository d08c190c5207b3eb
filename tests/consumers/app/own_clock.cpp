// Every policy that has a clock, on a clock of the user's.
#include <dspu/aio/adaptive_concurrency.hpp>
#include <dspu/aio/adaptive_rate.hpp>
#include <dspu/aio/bulkhead.hpp>
#include <dspu/aio/chaos.hpp>
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/aio/clock_support.hpp>
#include <dspu/aio/hedge.hpp>
#include <dspu/aio/keyed.hpp>
#include <dspu/aio/pipeline.hpp>
#include <dspu/aio/rate_limiter.hpp>
#include <dspu/aio/retry.hpp>
#include <dspu/aio/run_async.hpp>
#include <dspu/aio/shield.hpp>
#include <dspu/aio/throttle.hpp>
#include <dspu/aio/timeout.hpp>

#include <chrono>

using namespace std::chrono_literals;

// Real time, in milliseconds since the first look at it.
struct own_clock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<own_clock>;
  static constexpr bool is_steady = true;
  static time_point now() {
    static const auto start = std::chrono::steady_clock::now();
    return time_point{std::chrono::duration_cast<duration>(std::chrono::steady_clock::now() - start)};
  }
};

template struct dspu::aio::clock_support<own_clock>;

namespace {

using namespace dspu::aio;

awaitable<bool> all_policies() {
  basic_retry<own_clock> again{{.max_attempts = 5, .base_delay = 2ms, .jitter = jitter::none}};
  basic_rate_limiter<own_clock> limiter{{.rate = 1000, .capacity = 1.0}};
  basic_circuit_breaker<own_clock> breaker;
  bulkhead places;
  basic_hedge<own_clock> twice{{.delay = 5ms}};
  basic_throttle<own_clock> polite;
  basic_adaptive_concurrency<own_clock> width;
  basic_adaptive_rate<own_clock> pace;
  basic_chaos<own_clock> slow{{.latency_rate = 1, .latency_min = 1ms}};
  keyed<basic_rate_limiter<own_clock>> limiters{{.rate = 1000}};
  const auto row = basic_timeout<own_clock>(10s) | again | twice | breaker | limiter | places | polite | width | pace | slow;
  int calls = 0;
  const auto op = [&calls]() -> awaitable<int> {
    if (++calls == 1) throw std::runtime_error("once");
    co_return calls;
  };
  auto running = row.call(op);
  const int result = co_await std::move(running);
  auto keyed_call = limiters.call("a", op);
  co_await std::move(keyed_call);

  shield_scope scope;
  auto sleeping = scope.run(detail::sleep_for<own_clock>(5ms));
  bool expired = false;
  try {
    co_await run_with_timeout<own_clock>(std::move(sleeping), 1ms);
  } catch (const async_timeout_error&) {
    expired = true;
  }
  co_return result > 1 && co_await scope.join<own_clock>(10s) && expired;
}

}  // namespace

bool runs_on_a_clock_of_its_own() { return run_async(all_policies()); }
