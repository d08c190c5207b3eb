// The unreliable server's dice: what happens to the n-th request, decided by the seed alone.
#pragma once

#include "dspu/serve_options.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dspu::app {

enum class answer_kind {
  ok,
  failure,
  reset_in_header,
  reset_in_body,
  truncated,
  slow,
  silent,
  wrong_length,
  endless,
  limited,      // 429
  unavailable,  // 503 of an outage
  refused,      // reset by an outage
};
inline constexpr std::size_t answer_kinds = 12;

std::string_view to_string(answer_kind kind);

struct fate {
  answer_kind kind = answer_kind::ok;
  unsigned failure_status = 0;  // with answer_kind::failure
  std::chrono::nanoseconds latency{0};
};

class trouble {
 public:
  // Requires: check(options) passes.
  explicit trouble(const serve_options& options);

  // For request number `n`, counted from 0. Pure.
  fate of(std::uint64_t n) const;

  // The outage in force `since_start`, if any.
  const outage_window* outage(std::chrono::nanoseconds since_start) const;

 private:
  std::chrono::nanoseconds draw_latency(double u, double v) const;

  serve_options options_;
  std::array<std::pair<answer_kind, double>, 8> shares_;
  std::uint64_t base_;
};

}  // namespace dspu::app
