// The result of one request, and its form as a line of JSON (schema 1).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

enum class outcome {
  ok,
  http_error,  // an answer, and not the one that was hoped for; also a chain of redirects that is too long
  timeout,     // the attempt took too long in all
  connect_timeout,     // the connection did not stand in time
  first_byte_timeout,  // the answer did not begin in time
  stalled,             // nothing went out or came in for too long, or too little
  connect,             // refused or unreachable
  proxy,               // the proxy cannot be used, or refuses
  reset,               // the connection ended before the answer did
  protocol,            // what came is not HTTP, or cannot be read safely
  body_too_large,      // larger than --max-body
  tls,
  dns,
  circuit_open,          // its deadline passed while the origin's breaker was open
  retry_after_too_long,  // the origin asked for a longer wait than --retry-after-max
  deadline,
  cancelled,      // the run was stopped while the request was out
  invalid_input,  // no request at all
};

inline constexpr std::size_t outcome_count = 18;

std::string_view to_string(outcome value);
// Whether a limit of time for an attempt ended it.
bool is_timeout(outcome value);

// What kept an attempt waiting.
enum class wait_reason {
  none,
  concurrency,   // -j or --host-concurrency
  rate_limit,    // --rate or --host-rate
  backoff,       // between attempts
  retry_after,   // the origin's own wish
  circuit_open,  // the origin's breaker
  pace,          // the pace that was learnt of the origin
};

inline constexpr std::size_t wait_reason_count = 7;

std::string_view to_string(wait_reason value);

struct attempt_record {
  std::chrono::nanoseconds start{};  // since the request was read
  unsigned status = 0;               // 0: no answer
  std::string error{};               // why there was none, or not all of one
  std::chrono::nanoseconds duration{};
  std::chrono::nanoseconds wait{};  // between the attempt before, or the reading, and this one
  wait_reason why = wait_reason::none;
  unsigned hedges = 0;     // exchanges that went beside it
  bool hedge_won = false;  // the answer is one of theirs
};

struct recorded_header {
  std::string name;  // in small letters
  std::vector<std::string> values;
};

struct result_record {
  std::uint64_t n = 0;
  std::string id{};
  std::string url{};
  std::string method{};
  dspu::app::outcome outcome = dspu::app::outcome::ok;
  unsigned status = 0;
  std::string final_url{};  // after redirects
  std::vector<attempt_record> attempts{};
  std::uint64_t bytes = 0;                  // of the last body, whole or not, after inflation
  std::string content_encoding{};           // what that is still encoded with
  std::chrono::nanoseconds total{};         // from reading to result
  std::chrono::nanoseconds queued{};        // until the first attempt began
  std::chrono::nanoseconds limiter_wait{};  // of all waiting, what the rate limits caused
  std::string host{};
  std::chrono::system_clock::time_point finished_at{};
  std::string file{};                 // with --save
  std::optional<std::string> body{};  // with --inline-body
  bool body_omitted = false;          // it was larger than --inline-body
  std::string meta{};                 // JSON, as it came with the request
  std::vector<recorded_header> headers{};  // of the last answer, with --include-headers
  std::string error{};
  bool retry_refused = false;  // by the retry budget: there would have been another attempt

  // Of input that is no request: how --failed-to lists it. Not part of the result.
  std::string wrong_line{};

  bool ok() const { return outcome == dspu::app::outcome::ok; }
};

// Appends the line, with its line feed. docs/fetch.md describes every key.
void append_json_line(std::string& out, const result_record& record);
std::string to_json_line(const result_record& record);

}  // namespace dspu::app
