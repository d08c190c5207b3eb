// An outage, seen by a server whose clients try three times: without a budget three times the load, with one a fifth more.
#include <dspu/aio/retry.hpp>
#include <dspu/aio/retry_budget.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>
#include <stdexcept>

namespace aio = dspu::aio;
using namespace std::chrono_literals;

int attempts = 0;

boost::asio::awaitable<void> fail() {
  ++attempts;
  throw std::runtime_error("out of order");
  co_return;
}

int attempts_of(aio::retry_budget* budget) {
  dspu::testing::simulator sim;
  const aio::basic_retry<dspu::testing::manual_clock> again{{.max_attempts = 3, .base_delay = 10ms, .budget = budget}};
  attempts = 0;
  for (int call = 0; call < 1000; ++call) {
    try {
      sim.run(again.call(fail));
    } catch (const std::runtime_error&) {  // always that of the last attempt, budget or not
    }
  }
  return attempts;
}

int main() {
  aio::retry_budget a_fifth{{.min_retries_per_second = 0, .retries_per_call = 0.2}};
  std::printf("1000 calls without a budget: %d attempts\n", attempts_of(nullptr));
  std::printf("1000 calls with one of 20 %%: %d attempts\n", attempts_of(&a_fifth));
}
