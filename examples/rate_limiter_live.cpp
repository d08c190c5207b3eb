// A limiter that changes while it runs, in simulated time: two bandwidths, a server that has had enough,
// classes of callers, a wait that is refused because it would take too long, a reservation.
#include <dspu/aio/rate_limiter.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using dspu::core::instant_of;
using limiter = dspu::aio::basic_rate_limiter<dspu::testing::manual_clock>;

void say(dspu::testing::simulator& sim, const char* what) {
  std::printf("%4.1f s  %s\n", std::chrono::duration<double>(sim.elapsed()).count(), what);
}

asio::awaitable<void> request(dspu::testing::simulator& sim, limiter& limit, const char* who,
                              dspu::aio::acquire_options options) {
  try {
    co_await limit.acquire(1, options);
    say(sim, who);
  } catch (const dspu::aio::deadline_error&) {
    say(sim, "refused: it would come too late");
  }
}

// [live]
int main() {
  dspu::testing::simulator sim;
  limiter limit{
      {.rate = 2, .capacity = 2.0, .also = {{.rate = 100, .per = 1min}}}};  // 2 a second, 100 a minute

  limit.try_acquire(2);
  sim.spawn(request(sim, limit, "a background job", {.priority = dspu::aio::priority::low}));
  sim.spawn(request(sim, limit, "a request", {}));
  sim.spawn(request(sim, limit, "an urgent request", {.priority = dspu::aio::priority::high}));
  sim.spawn(request(sim, limit, "never", {.deadline = instant_of(sim.now() + 1s)}));
  sim.run();

  limit.drain_until(instant_of(sim.now() + 10s));  // 429, Retry-After: 10
  limit.set_rate(1);
  auto place = limit.reserve();
  sim.spawn(request(sim, limit, "after the server's pause, behind a reservation", {}));
  sim.at(13s, [&] {
    if (place.use()) say(sim, "the reservation is used");
  });
  sim.run();

  const auto s = limit.statistics();
  std::printf("%d granted, %d waited, %d refused\n", static_cast<int>(s.granted), static_cast<int>(s.waited),
              static_cast<int>(s.refused));
}
// [live]
