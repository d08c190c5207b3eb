#include "dspu/trouble.hpp"

#include "dspu/core/random.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dspu::app {

std::string_view to_string(answer_kind kind) {
  switch (kind) {
    case answer_kind::ok:
      return "ok";
    case answer_kind::failure:
      return "failure";
    case answer_kind::reset_in_header:
      return "reset_in_header";
    case answer_kind::reset_in_body:
      return "reset_in_body";
    case answer_kind::truncated:
      return "truncated";
    case answer_kind::slow:
      return "slow";
    case answer_kind::silent:
      return "silent";
    case answer_kind::wrong_length:
      return "wrong_length";
    case answer_kind::endless:
      return "endless";
    case answer_kind::limited:
      return "limited";
    case answer_kind::unavailable:
      return "unavailable";
    case answer_kind::refused:
      return "refused";
  }
  return "unknown";
}

trouble::trouble(const serve_options& options)
    : options_(options),
      shares_{{{answer_kind::failure, options.failure_rate},
               {answer_kind::reset_in_header, options.reset_rate / 2},
               {answer_kind::reset_in_body, options.reset_rate / 2},
               {answer_kind::truncated, options.truncate_rate},
               {answer_kind::slow, options.slow_rate},
               {answer_kind::silent, options.silent_rate},
               {answer_kind::wrong_length, options.wrong_length_rate},
               {answer_kind::endless, options.endless_rate}}},
      base_(core::random_source(options.seed)()) {}

fate trouble::of(std::uint64_t n) const {
  // An odd stride other than the generator's own, lest the requests' sequences be each other's continuations.
  constexpr std::uint64_t stride = 0xd1342543de82ef95U;
  core::random_source random(base_ + n * stride);
  fate result;
  double u = random.unit();
  for (const auto& [kind, share] : shares_) {
    if (u < share) {
      result.kind = kind;
      break;
    }
    u -= share;
  }
  const auto& statuses = options_.failure_statuses;
  const auto index = static_cast<std::size_t>(random.unit() * static_cast<double>(statuses.size()));
  if (result.kind == answer_kind::failure) result.failure_status = statuses[index];
  const double first = random.unit();
  const double second = random.unit();
  result.latency = draw_latency(first, second);
  return result;
}

std::chrono::nanoseconds trouble::draw_latency(double u, double v) const {
  const double tiny = 0x1p-53;  // keeps the logarithms finite
  double factor = 1;
  switch (options_.latency.kind) {
    case latency_spec::shape::constant:
      break;
    case latency_spec::shape::uniform:
      factor = 2 * u;
      break;
    case latency_spec::shape::exponential:
      factor = -std::log(u + tiny) / std::numbers::ln2;
      break;
    case latency_spec::shape::lognormal: {
      constexpr double sigma = 0.5;
      const double normal = std::sqrt(-2 * std::log(u + tiny)) * std::cos(2 * std::numbers::pi * v);
      factor = std::exp(sigma * normal);
      break;
    }
  }
  const double ns = static_cast<double>(options_.latency.p50.count()) * factor;
  constexpr double a_day = 86'400e9;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(ns, a_day)));
}

const outage_window* trouble::outage(std::chrono::nanoseconds since_start) const {
  const auto found = std::ranges::find_if(
      options_.outages, [&](const outage_window& w) { return w.from <= since_start && since_start < w.to; });
  return found == options_.outages.end() ? nullptr : &*found;
}

}  // namespace dspu::app
