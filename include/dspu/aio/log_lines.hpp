// log_lines: what a pipeline decides, as lines of text for people and for programs that collect logs.
//
//   log_lines log(stderr, {.at_least = severity::warning});
//   auto resilient = (retry{} | breaker).observed_by(log, "catalog");
//
//   time=2026-11-26T10:17:15.123456Z level=warning event=refused pipeline=catalog policy=circuit_breaker
//   reason=open state=open call=17 attempt=2 failure_count=5 retry_after=4.5 error="the circuit is open" (all
//   in one line)
//
// logfmt: words `key=value` with one space between, as Loki, Splunk and `grep` read them; shorter than JSON,
// and a person can read it too. In this order, what is empty left out: time (UTC), level, event, pipeline,
// policy, reason, state, call, attempt, the facts by their names (seconds; counts), error (the exception's
// what()). A value with a space, a quote, `=`, a backslash or a control character in it stands in quotes,
// with \" \\ \n \r \t and \u00XX for the other control characters; what is not ASCII goes as it is. Names are
// cut after 100 bytes, the error after 250, and end in … then; `cut=true` at the end says that fields were
// left out, because the line would pass 2 KiB.
//
// Thread-safety: may be shared by any number of pipelines; each line is one write, and no two overlap. It is
// composed outside of the lock, without an allocation (but what reading an exception's text costs).
#pragma once

#include "dspu/aio/observer.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iosfwd>
#include <mutex>
#include <string_view>
#include <vector>

namespace dspu::aio {

enum class severity {
  debug,        // as it should be: attempts and calls that succeeded or were cancelled, waits
  information,  // retries, hedges, faults injected on purpose, new limits, what shadow mode would have done
  warning,  // refusals, timeouts, fallbacks, retries that gave up, attempts that failed, circuits that open
  error,    // calls that failed, timed out or were refused
};

severity severity_of(const event& e);
// "debug", "info", "warning", "error".
std::string_view name_of(severity s);

struct log_lines_options {
  // What is less severe is left out.
  severity at_least = severity::information;
  // Only these kinds. Empty: all.
  std::vector<event_kind> kinds = {};
  // Only those for which it says true; asked last. Without it: all. What it throws counts as false, and in
  // lost().
  std::function<bool(const event&)> only = nullptr;
  // Whether a line begins with the time of day.
  bool with_time = true;
  // That time. Without it: the system's clock. An event's own instant is its pipeline's clock, which knows no
  // day.
  std::function<std::chrono::system_clock::time_point()> time = nullptr;
};

class log_lines final : public observer {
 public:
  // Gets a line with its '\n', valid only while it runs; one at a time.
  using sink = std::function<void(std::string_view line)>;

  explicit log_lines(sink to, log_lines_options options = {});
  // These must outlive it. They are written to, but not flushed.
  explicit log_lines(std::FILE* to, log_lines_options options = {});
  explicit log_lines(std::ostream& to, log_lines_options options = {});
  log_lines(const log_lines&) = delete;
  log_lines& operator=(const log_lines&) = delete;

  void on_event(const event& e) noexcept override;

  // Lines that could not be written: the sink threw, or the file would not take them.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  bool wanted(const event& e) const;
  void write(const event& e);

  const sink sink_;
  const log_lines_options options_;
  std::uint64_t kinds_;  // a bit each
  std::mutex mutex_;     // one line at a time
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace dspu::aio
