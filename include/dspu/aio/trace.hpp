// A trace: what calls through pipelines came to, as a recorder wrote it (recorder.hpp), to be looked at and
// replayed through another configuration (testing/replay.hpp).
//
//   const trace t = read_trace(file);            // throws trace_error: "trace, line 12: …"
//   std::puts(to_text(summarize(t)).c_str());
//
// The format, version 1: a first line `dspu-trace 1`, then a line for each call in the order in which they
// ended, and for each change of a circuit breaker. Words stand one space apart:
//
//   call START PIPELINE OUTCOME TOOK [STEP]…     STEP: attempt:OUTCOME:AT:TOOK    one run of the operation
//   state INSTANT PIPELINE STATE REASON                waited:POLICY:AT:TOOK      in a line, or (policy
//   retry) a pause
//                                                      refused:POLICY:REASON:AT   let not pass
//
// Times are whole nanoseconds: START and INSTANT on the pipeline's clock, AT since START. In PIPELINE, POLICY
// and REASON control characters, space, `%` and `:` are written %XX; nothing is written `-`, and a single `-`
// as %2d. OUTCOME is one of those of `ending_word`. A last line without '\n' is that of a process that was
// killed, and is left out.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::aio {

using core::duration;

// How a call or an attempt ended; observer.hpp says what is called what.
enum class ending_word { success, failure, ignored, refused, timed_out, cancelled };

std::string_view name_of(ending_word w);
std::optional<ending_word> ending_word_of(std::string_view name);

struct recorded_attempt {
  ending_word how = ending_word::success;
  duration at{0};  // since the call's start, as all of these
  duration took{0};
  friend bool operator==(const recorded_attempt&, const recorded_attempt&) = default;
};

struct recorded_wait {
  std::string policy{};  // "rate_limiter", "bulkhead", …; "retry" for a pause
  duration at{0};
  duration took{0};
  friend bool operator==(const recorded_wait&, const recorded_wait&) = default;
};

struct recorded_refusal {
  std::string policy{};
  std::string reason{};
  duration at{0};
  friend bool operator==(const recorded_refusal&, const recorded_refusal&) = default;
};

struct recorded_call {
  core::instant start{};
  std::string pipeline{};
  ending_word how = ending_word::success;
  duration took{0};
  std::vector<recorded_attempt> attempts{};  // each kind in the order in which they ended
  std::vector<recorded_wait> waits{};
  std::vector<recorded_refusal> refusals{};
  friend bool operator==(const recorded_call&, const recorded_call&) = default;
};

struct recorded_state {
  core::instant at{};
  std::string pipeline{};
  std::string state{};
  std::string reason{};
  friend bool operator==(const recorded_state&, const recorded_state&) = default;
};

struct trace {
  std::vector<recorded_call> calls{};  // as in the file
  std::vector<recorded_state> states{};
  bool torn = false;  // the last line had no end
  friend bool operator==(const trace&, const trace&) = default;
};

class trace_error : public std::invalid_argument {
 public:
  trace_error(std::size_t line, const std::string& what);
  // From 1.
  std::size_t line() const noexcept { return line_; }

 private:
  std::size_t line_;
};

// Throws: trace_error naming the line, the field, its value and its range.
trace read_trace(std::string_view text);
// Throws: also std::runtime_error if it cannot be read.
trace read_trace(std::istream& from);

// With its '\n'.
inline constexpr std::string_view trace_first_line = "dspu-trace 1\n";
std::string to_line(const recorded_call& call);
std::string to_line(const recorded_state& change);
// All of it; `torn` plays no part.
std::string to_text(const trace& t);

// What is in it of that pipeline.
trace of_pipeline(const trace& t, std::string_view pipeline);

// What matters of a trace, in numbers.
struct trace_summary {
  std::int64_t calls = 0;
  std::int64_t succeeded = 0;  // these six add up to `calls`
  std::int64_t failed = 0;
  std::int64_t ignored = 0;
  std::int64_t refused = 0;
  std::int64_t timed_out = 0;
  std::int64_t cancelled = 0;
  std::int64_t attempts = 0;
  std::int64_t failed_attempts = 0;  // or timed out
  std::int64_t refusals = 0;         // by policies, those that were retried after included
  std::int64_t opened = 0;           // circuits, re-opened ones included
  duration open_for{
      0};  // for how long in all; a circuit that is open at the end counts until the last call's end
  duration waited_p50{0};  // of all calls, in lines (not in pauses); nearest rank
  duration waited_p99{0};
  duration took_p50{0};
  duration took_p99{0};
};

trace_summary summarize(const trace& t);
// A table with a line for each number; and two beside each other.
std::string to_text(const trace_summary& s);
std::string compare(const trace_summary& recorded, const trace_summary& replayed);

}  // namespace dspu::aio
