#include "dspu/parse_policy.hpp"

#include "dspu/parse.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dspu::app {

namespace {

constexpr std::string_view budget_form =
    "a share of the requests and a floor, such as 20% or 0.1,floor=5/s (floor 0 for none)";
constexpr std::string_view adaptive_form =
    "aimd, vegas or gradient2 with limits from 1 to 100000, such as vegas or "
    "gradient2,min=2,max=64,initial=8";
constexpr std::string_view pace_form =
    "bounds of a pace, such as max=100/s or min=1/m,max=20/s,burst=5,initial=10/s (min at most initial, initial at most "
    "max)";
constexpr std::string_view hedge_form =
    "a delay or a percentile and a number of hedges from 1 to 10, such as 250ms or p95,max=2";

// "head,key=value,key=value"
struct listing {
  std::string_view head;
  std::vector<std::pair<std::string_view, std::string_view>> members;
};

std::optional<listing> split(std::string_view text) {
  listing parts;
  std::size_t comma = text.find(',');
  parts.head = text.substr(0, comma);
  while (comma != std::string_view::npos) {
    text.remove_prefix(comma + 1);
    comma = text.find(',');
    const std::string_view member = text.substr(0, comma);
    const std::size_t equals = member.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = member.substr(0, equals);
    const bool twice = std::ranges::any_of(parts.members, [&](const auto& m) { return m.first == key; });
    if (twice) return std::nullopt;
    parts.members.emplace_back(key, member.substr(equals + 1));
  }
  return parts;
}

std::optional<std::int64_t> whole_number(std::string_view text, std::int64_t low, std::int64_t high) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value >= low && value <= high ? std::optional(value) : std::nullopt;
}

std::optional<double> per_second(std::string_view text) {
  if (text == "0") return 0.0;
  const rate_spec rate = parse_rate(text);
  if (rate.burst) return std::nullopt;
  return rate.amount / std::chrono::duration<double>(rate.per).count();
}

std::optional<core::retry_budget_options> read_retry_budget(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  core::retry_budget_options options;
  options.retries_per_call = parse_ratio(parts->head);
  for (const auto& [key, value] : parts->members) {
    const auto floor = key == "floor" ? per_second(value) : std::nullopt;
    if (!floor) return std::nullopt;
    options.min_retries_per_second = *floor;
  }
  return options;
}

std::optional<core::limit_algorithm> algorithm_named(std::string_view name) {
  using core::limit_algorithm;
  if (name == "aimd") return limit_algorithm::aimd;
  if (name == "vegas") return limit_algorithm::vegas;
  if (name == "gradient2") return limit_algorithm::gradient2;
  return std::nullopt;
}

std::optional<core::adaptive_limit_options> read_adaptive(std::string_view text) {
  const auto parts = split(text);
  const auto algorithm = parts ? algorithm_named(parts->head) : std::nullopt;
  if (!algorithm) return std::nullopt;
  core::adaptive_limit_options options;
  options.algorithm = *algorithm;
  std::optional<std::int64_t> initial;
  for (const auto& [key, text_of] : parts->members) {
    const auto value = whole_number(text_of, 1, 100'000);
    if (!value) return std::nullopt;
    if (key == "min") {
      options.min = *value;
    } else if (key == "max") {
      options.max = *value;
    } else if (key == "initial") {
      initial = value;
    } else {
      return std::nullopt;
    }
  }
  if (options.min > options.max) return std::nullopt;
  if (initial && (*initial < options.min || *initial > options.max)) return std::nullopt;
  // As polite as --host-concurrency is, until more is known.
  constexpr std::int64_t usual = 8;
  options.initial = initial.value_or(std::clamp(usual, options.min, options.max));
  return options;
}

std::optional<core::adaptive_rate_options> read_pace(std::string_view text) {
  const std::string all = "," + std::string(text);
  const auto parts = split(all);
  if (!parts) return std::nullopt;
  core::adaptive_rate_options options;
  std::optional<double> least;
  for (const auto& [key, value] : parts->members) {
    if (key == "burst") {
      const auto burst = whole_number(value, 1, 1'000'000);
      if (!burst) return std::nullopt;
      options.max_burst = *burst;
      continue;
    }
    const auto rate = per_second(value);
    if (!rate || *rate <= 0 || *rate > 1e9) return std::nullopt;
    if (key == "max") {
      options.max_rate = *rate;
    } else if (key == "min") {
      least = *rate;
    } else if (key == "initial") {
      options.initial_rate = *rate;
    } else {
      return std::nullopt;
    }
  }
  options.min_rate = least.value_or(std::min(options.min_rate, options.max_rate));
  const double initial = options.initial_rate.value_or(options.max_rate);
  if (initial < options.min_rate || initial > options.max_rate) return std::nullopt;
  return options;
}

// "p95", "p99.9"
std::optional<double> percentile(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data() + 1, text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0 && value < 100))
    return std::nullopt;
  return value / 100;
}

std::optional<core::hedge_options> read_hedge(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  core::hedge_options options;
  if (parts->head.starts_with('p')) {
    options.quantile = percentile(parts->head);
    if (!options.quantile) return std::nullopt;
    options.delay = core::duration::max();  // until enough is known
  } else {
    options.delay = parse_duration(parts->head);
  }
  for (const auto& [key, value] : parts->members) {
    const auto most = key == "max" ? whole_number(value, 1, 10) : std::nullopt;
    if (!most) return std::nullopt;
    options.max_hedges = *most;
  }
  return options;
}

template <class Read>
auto read_or_refuse(std::string_view text, std::string_view form, Read read) {
  std::string why;
  try {
    if (const auto options = read(text)) return *options;
  } catch (const std::invalid_argument& part) {
    why = std::string(": ") + part.what();
  }
  throw std::invalid_argument("'" + std::string(text) + "' is not " + std::string(form) + why);
}

}  // namespace

speed_limit parse_min_speed(std::string_view text) {
  const std::size_t comma = text.find(',');
  speed_limit made;
  try {
    made.bytes_per_second = parse_size(text.substr(0, comma));
    if (comma != text.npos) made.over = parse_duration(text.substr(comma + 1));
  } catch (const std::invalid_argument&) {
    made = {};
  }
  if (made.bytes_per_second == 0 || made.over < std::chrono::seconds(1)) {
    throw std::invalid_argument(
        "'" + std::string(text) +
        "' is not bytes a second, more than 0, and a time of at least 1s, such as 10k or 1k,1m");
  }
  return made;
}

core::retry_budget_options parse_retry_budget(std::string_view text) {
  return read_or_refuse(text, budget_form, read_retry_budget);
}

core::adaptive_limit_options parse_adaptive_concurrency(std::string_view text) {
  return read_or_refuse(text, adaptive_form, read_adaptive);
}

core::adaptive_rate_options parse_pace(std::string_view text) {
  return read_or_refuse(text, pace_form, read_pace);
}

core::hedge_options parse_hedge(std::string_view text) {
  return read_or_refuse(text, hedge_form, read_hedge);
}

}  // namespace dspu::app
