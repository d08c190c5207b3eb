#include "dspu/aio/detail/in_words.hpp"

#include <cstdio>

namespace dspu::aio::detail {

std::string in_words(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

std::string in_words(core::duration d) {
  using namespace std::chrono;
  if (d == core::duration::max()) return "for ever";
  const auto n = static_cast<double>(d.count());
  struct unit {
    double nanoseconds;
    const char* name;
  };
  for (const unit u : {unit{3600e9, " h"}, unit{60e9, " min"}, unit{1e9, " s"}, unit{1e6, " ms"}, unit{1e3, " us"}}) {
    const bool whole = u.nanoseconds <= 1e9 || d % duration_cast<core::duration>(seconds{60}) == core::duration{0};
    if (n >= u.nanoseconds && whole) return in_words(n / u.nanoseconds) + u.name;
  }
  return in_words(n) + (d == core::duration{0} ? " s" : " ns");
}

std::string name_of(core::backoff_strategy s) {
  switch (s) {
    case core::backoff_strategy::constant: return "constant";
    case core::backoff_strategy::linear: return "linear";
    case core::backoff_strategy::exponential: return "exponential";
  }
  return {};
}

std::string name_of(core::jitter j) {
  switch (j) {
    case core::jitter::none: return "no";
    case core::jitter::full: return "full";
    case core::jitter::equal: return "equal";
    case core::jitter::decorrelated: return "decorrelated";
  }
  return {};
}

}  // namespace dspu::aio::detail
