// One recorded scenario replayed, and how the library's answers are compared with the recorded ones.
#pragma once

#include <boost/json.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::traces {

namespace json = boost::json;

// What one scenario showed. The tolerance is what traces are rounded to, with room: a microsecond.
class comparison {
 public:
  struct mismatch {
    std::string what;
    std::string expected;
    std::string actual;
  };

  void same(std::string_view what, std::string_view expected, std::string_view actual);
  void same(std::string_view what, std::int64_t expected, std::int64_t actual);
  void close(std::string_view what, double expected, double actual, double tolerance = 1e-6);

  bool holds() const { return mismatches_.empty(); }
  const std::vector<mismatch>& mismatches() const { return mismatches_; }

  // Set if the library differs from the reference on purpose: the divergence's name. Everything else was
  // compared.
  std::string divergence;

 private:
  std::vector<mismatch> mismatches_;
};

// A place inside a scenario: "calls[3].state".
std::string place(std::string_view list, std::size_t index, std::string_view field);

std::chrono::nanoseconds seconds_of(const json::value& v);
double in_seconds(std::chrono::nanoseconds d);

comparison replay_rate_limiter(const json::object& scenario);
comparison replay_circuit_breaker(const json::object& scenario);
comparison replay_gather_with_limit(const json::object& scenario);
comparison replay_run_with_timeout(const json::object& scenario);

}  // namespace dspu::traces
