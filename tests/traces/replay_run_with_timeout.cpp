// run_with_timeout's traces: the result or the error of one operation, and when it came.
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/simulator.hpp"
#include "traces/replay.hpp"

#include <stdexcept>

namespace dspu::traces {

namespace {

using testing::manual_clock;
using testing::simulator;

struct operation_failed : std::runtime_error {
  operation_failed() : runtime_error("operation") {}
};

aio::awaitable<int> operation(std::chrono::nanoseconds takes, bool fails) {
  co_await aio::detail::sleep_for<manual_clock>(takes);
  if (fails) throw operation_failed();
  co_return 7;
}

}  // namespace

comparison replay_run_with_timeout(const json::object& s) {
  comparison c;
  simulator sim;
  const auto& e = s.at("expected").as_object();
  const std::string expected = e.contains("error") ? std::string(e.at("error").as_string())
                                                   : "result " + std::to_string(e.at("result").as_int64());
  std::string actual;
  try {
    auto op = operation(seconds_of(s.at("takes")), s.at("fails").as_bool());
    actual = "result " + std::to_string(sim.run(aio::run_with_timeout<manual_clock>(
                             std::move(op), seconds_of(s.at("timeout")))));
  } catch (const aio::async_timeout_error& error) {
    actual = "async_timeout_error";
    if (const auto* t = e.if_contains("timeout")) {
      c.close("timeout", t->to_number<double>(), in_seconds(error.timeout()));
    }
  } catch (const operation_failed&) {
    actual = "operation";
  }
  c.same("outcome", expected, actual);
  c.close("at", e.at("at").to_number<double>(), in_seconds(sim.elapsed()));
  return c;
}

}  // namespace dspu::traces
