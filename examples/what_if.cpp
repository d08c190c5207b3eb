// A breaker that opens when 70 % of the calls fail lives through an outage in which fewer do. What would 30 %
// have done, and what five quick attempts? Ten minutes are recorded, and replayed through other policies, in
// virtual time.
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/aio/pipeline.hpp>
#include <dspu/aio/recorder.hpp>
#include <dspu/aio/retry.hpp>
#include <dspu/aio/timeout.hpp>
#include <dspu/testing/replay.hpp>

#include <cstdio>
#include <fstream>
#include <stdexcept>

using namespace dspu::aio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;
using dspu::testing::simulator;
using breaker_policy = basic_circuit_breaker<manual_clock>;
using retry_policy = basic_retry<manual_clock>;
using timeout_policy = basic_timeout<manual_clock>;

// Answers in 100 ms. From 3 to 6 minutes 60 % of its answers are errors, and take 2 s.
struct service {
  simulator& sim;

  awaitable<int> operator()() const {
    const bool ill = sim.elapsed() >= 3min && sim.elapsed() < 6min;
    dspu::testing::manual_timer answer(sim.get_executor(), ill ? 2s : 100ms);
    const bool fails = ill && sim.random().unit() < 0.6;
    co_await answer.async_wait(boost::asio::use_awaitable);
    if (fails) throw std::runtime_error("503");
    co_return 200;
  }
};

circuit_breaker_options by_rate(double failure_rate) {
  return {.failure_threshold = 0,
          .timeout = 15s,
          .window = {.time = 30s, .min_calls = 10, .failure_rate = failure_rate}};
}

const retry_policy twice{{.max_attempts = 2, .jitter = jitter::none}};

// [record]
void record(const char* path) {
  simulator sim;
  std::ofstream file(path);
  recorder tape(file);
  breaker_policy at_70{by_rate(0.7)};
  const auto catalog = (at_70 | twice | timeout_policy(5s)).observed_by(tape, "catalog");
  // [record]
  const auto one_call = [](auto& through, service s) -> awaitable<void> {
    try {
      co_await through.call(s);
    } catch (const std::exception&) {  // the tape has it
    }
  };
  for (int i = 0; i < 600; ++i) {
    sim.spawn(one_call(catalog, service{sim}));
    sim.run_for(1s);
  }
  sim.run();
}

template <class Pipeline>
void answer(const char* question, const trace& recorded, simulator& sim, const Pipeline& pipeline) {
  // [replay]
  const auto what_if = dspu::testing::replay(sim, recorded, pipeline);
  std::printf("%s\n%s", question, compare(summarize(recorded), summarize(what_if.trace)).c_str());
  std::printf("%d attempts as recorded, %d assumed\n\n", static_cast<int>(what_if.as_recorded),
              static_cast<int>(what_if.assumed));
  // [replay]
}

int main() {
  const char* path = "what_if.trace";
  record(path);
  std::ifstream file(path);
  const trace recorded = read_trace(file);
  std::remove(path);

  simulator sim;
  breaker_policy at_30{by_rate(0.3)};
  answer("A breaker that opens when 30 % of the calls fail:", recorded, sim,
         at_30 | twice | timeout_policy(5s));

  const retry_policy five_quick{{.max_attempts = 5,
                                 .strategy = backoff_strategy::constant,
                                 .base_delay = 100ms,
                                 .jitter = jitter::none}};
  breaker_policy as_before{by_rate(0.7)};
  answer("Five attempts, 100 ms apart:", recorded, sim, as_before | five_quick | timeout_policy(5s));
}
