// What the unreliable server can be made to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dspu::app {

// How long the server takes to answer, described by its median.
struct latency_spec {
  enum class shape {
    constant,
    uniform,  // 0 to twice the median
    exponential,
    lognormal,  // the shape of real services: a long tail, p99 about three times the median
  };
  shape kind = shape::constant;
  std::chrono::nanoseconds p50{0};
};

// A stretch of time in which nothing is answered well.
struct outage_window {
  enum class mode {
    refuse,       // connections are reset as soon as they are there
    unavailable,  // everything is answered with 503
  };
  std::chrono::nanoseconds from{0};  // since the server's start
  std::chrono::nanoseconds to{0};    // not part of the window
  mode how = mode::refuse;
};

// The server's own limit: more than this is answered with limit_status, by default 429, and Retry-After.
struct request_limit {
  double amount = 0;
  std::chrono::nanoseconds per = std::chrono::seconds(1);
  double burst = 0;  // at least 1; 0 means: `amount`, at least 1
};

struct serve_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;          // 0: any that is free
  bool allow_any_address = false;  // without it, only loopback addresses are bound

  // Every request that is not refused otherwise draws its fate from here and from its number: the same seed
  // gives the n-th request the same fate.
  std::uint64_t seed = 1;
  // The shares of requests, 0 to 1 and together at most 1, that …
  double failure_rate = 0;       // are answered with one of failure_statuses
  double reset_rate = 0;         // end in a reset, half of them in the header and half in the body
  double truncate_rate = 0;      // end before the announced length
  double slow_rate = 0;          // get their body in drops over slow_duration
  double silent_rate = 0;        // are never answered
  double wrong_length_rate = 0;  // get more bytes than were announced
  double endless_rate = 0;       // get a body without an end
  std::vector<unsigned> failure_statuses{503};
  std::chrono::nanoseconds slow_duration = std::chrono::seconds(2);

  latency_spec latency;
  std::vector<outage_window> outages;
  std::optional<request_limit> limit;
  unsigned limit_status = 429;       // 400 to 599
  bool sends_retry_after = true;     // else it does not say when to come back, as nginx does not
  bool retry_after_as_date = false;  // an HTTP date instead of seconds

  std::uint64_t body_size = 0;            // 0: a line that names the path
  bool gzip = true;                       // compress, for those who accept it, what is worth it
  std::uint64_t keep_alive_requests = 0;  // a connection ends after so many; 0: never
  bool announce_close = true;             // … with Connection: close in the last answer, or without a word

  // PEM files; both or neither. With them the server speaks TLS.
  std::string certificate{};
  std::string private_key{};
};

// Throws: std::invalid_argument naming the option, its value and its range.
void check(const serve_options& options);

}  // namespace dspu::app
