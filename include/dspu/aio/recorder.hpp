// recorder: writes a trace of the calls through pipelines, to be read back (trace.hpp) and replayed through
// another configuration (testing/replay.hpp): "what would a failure rate of 30 % have done?"
//
//   std::ofstream file("calls.trace");
//   recorder tape(file);
//   auto resilient = (retry{} | breaker).observed_by(tape, "catalog");
//
// One line for each call, written when it has ended, and one for each change of a circuit breaker that a call
// made. Until then a call's steps are kept in memory: that is a few allocations a call.
//
// Thread-safety: may be shared by any number of pipelines; each line is one write, and no two overlap.
#pragma once

#include "dspu/aio/observer.hpp"
#include "dspu/aio/trace.hpp"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iosfwd>
#include <map>
#include <mutex>
#include <string_view>

namespace dspu::aio {

struct recorder_options {
  // Calls under way at once; with one more, the oldest is given up, for it may be one that was destroyed and
  // will never end. At least 1; some 200 bytes each.
  std::size_t max_in_flight = 100'000;
};

class recorder final : public observer {
 public:
  // Gets a line with its '\n', valid only while it runs; one at a time.
  using sink = std::function<void(std::string_view line)>;

  // The first line is written at once. Throws: std::invalid_argument; what the sink throws.
  explicit recorder(sink to, recorder_options options = {});
  // These must outlive it. They are written to, but not flushed. Throws: also std::runtime_error.
  explicit recorder(std::FILE* to, recorder_options options = {});
  explicit recorder(std::ostream& to, recorder_options options = {});
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;

  void on_event(const event& e) noexcept override;

  // Calls and changes that are missing in the trace: they could not be written, or had to be given up.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  void note(const event& e);
  recorded_call& under_way(const event& e);
  void end(const event& e);

  const sink sink_;
  const recorder_options options_;
  std::mutex mutex_;
  std::map<std::uint64_t, recorded_call>
      under_way_;  // by number, so the oldest first; times are still instants
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace dspu::aio
