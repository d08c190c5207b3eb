// gather_with_limit's traces: when each operation started and ended. Each is replayed through the range form
// and through map_with_limit, which must agree.
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/gather.hpp"
#include "dspu/testing/simulator.hpp"
#include "traces/replay.hpp"

#include <algorithm>
#include <ranges>
#include <stdexcept>

namespace dspu::traces {

namespace {

using testing::manual_clock;
using testing::simulator;

struct operation_failed : std::runtime_error {
  operation_failed() : runtime_error("error") {}
};

struct gather_run {
  explicit gather_run(const json::array& all) : ops(all) {}

  const json::array& ops;
  simulator sim;
  std::vector<double> started = std::vector<double>(ops.size(), -1);
  std::vector<double> ended = std::vector<double>(ops.size(), -1);
  std::vector<std::string> results;

  aio::awaitable<int> operation(std::size_t i) {
    const auto& op = ops[i].as_object();
    started[i] = in_seconds(sim.elapsed());
    co_await aio::detail::sleep_for<manual_clock>(seconds_of(op.at("takes")));
    ended[i] = in_seconds(sim.elapsed());
    if (op.at("fails").as_bool()) throw operation_failed();
    co_return static_cast<int>(i) * 10;
  }

  void keep(const std::vector<int>& values) {
    for (const int v : values) results.push_back(std::to_string(v));
  }
  void keep(const std::vector<aio::result<int>>& outcomes) {
    for (const auto& r : outcomes) results.push_back(r.has_value() ? std::to_string(*r) : "error");
  }

  void run(aio::gather_options limit, bool return_exceptions, bool mapped) {
    const auto start = [this](std::size_t i) { return operation(i); };
    auto numbers = std::views::iota(std::size_t{0}, ops.size());
    auto lazily = numbers | std::views::transform(start);
    if (mapped && return_exceptions) {
      keep(sim.run(aio::map_with_limit(numbers, start, limit, aio::return_exceptions)));
    } else if (mapped) {
      keep(sim.run(aio::map_with_limit(numbers, start, limit)));
    } else if (return_exceptions) {
      keep(sim.run(aio::gather_with_limit(lazily, limit, aio::return_exceptions)));
    } else {
      keep(sim.run(aio::gather_with_limit(lazily, limit)));
    }
  }
};

std::string text(const json::value& v) {
  return v.is_string() ? std::string(v.as_string()) : std::to_string(v.as_int64());
}

void replay_one_form(const json::object& s, bool mapped, comparison& c) {
  gather_run run(s.at("ops").as_array());
  run.run({.limit = s.at("limit").as_int64()}, s.at("return_exceptions").as_bool(), mapped);
  const auto& e = s.at("expected").as_object();
  const std::string list = mapped ? "map_with_limit.ops" : "gather_with_limit.ops";
  c.close("finished_at", e.at("finished_at").to_number<double>(), in_seconds(run.sim.elapsed()));
  const auto& results = e.at("results").as_array();
  c.same("results.size", static_cast<std::int64_t>(results.size()),
         static_cast<std::int64_t>(run.results.size()));
  for (std::size_t i = 0; i < std::min(results.size(), run.results.size()); ++i) {
    c.same(place(list, i, "result"), text(results[i]), run.results[i]);
    c.close(place(list, i, "started_at"), e.at("started_at").as_array()[i].to_number<double>(),
            run.started[i]);
    c.close(place(list, i, "ended_at"), e.at("ended_at").as_array()[i].to_number<double>(), run.ended[i]);
  }
}

}  // namespace

comparison replay_gather_with_limit(const json::object& s) {
  comparison c;
  for (const bool mapped : {false, true}) replay_one_form(s, mapped, c);
  return c;
}

}  // namespace dspu::traces
