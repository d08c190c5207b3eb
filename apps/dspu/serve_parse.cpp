#include "dspu/serve_parse.hpp"

#include "dspu/parse.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace dspu::app {

namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view form) {
  throw std::invalid_argument("'" + std::string(text) + "' is not " + std::string(form));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::chrono::nanoseconds> read_duration(std::string_view text) {
  try {
    return parse_duration(text);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

std::optional<latency_spec::shape> read_shape(std::string_view name) {
  using shape = latency_spec::shape;
  constexpr std::array<std::pair<std::string_view, shape>, 4> shapes{{{"constant", shape::constant},
                                                                      {"uniform", shape::uniform},
                                                                      {"exponential", shape::exponential},
                                                                      {"lognormal", shape::lognormal}}};
  for (const auto& [known, value] : shapes)
    if (known == name) return value;
  return std::nullopt;
}

outage_window parse_outage(std::string_view text) {
  constexpr std::string_view form =
      "an outage such as 10s+5s (begins after 10 s, lasts 5 s, refuses connections) or 10s+5s:503";
  outage_window window;
  std::string_view times = text;
  if (times.ends_with(":503")) {
    window.how = outage_window::mode::unavailable;
    times.remove_suffix(4);
  }
  const auto plus = times.find('+');
  if (plus == times.npos) refuse(text, form);
  const auto from = read_duration(times.substr(0, plus));
  const auto length = read_duration(times.substr(plus + 1));
  if (!from || !length || length->count() == 0 || *length > std::chrono::nanoseconds::max() - *from)
    refuse(text, form);
  window.from = *from;
  window.to = *from + *length;
  return window;
}

}  // namespace

latency_spec parse_latency(std::string_view text) {
  constexpr std::string_view form =
      "a latency such as 20ms, p50=20ms or uniform,p50=20ms (constant, uniform, exponential, lognormal)";
  constexpr std::string_view key = "p50=";
  latency_spec spec;
  std::string_view value = text;
  if (const auto comma = text.find(','); comma != text.npos) {
    const auto kind = read_shape(text.substr(0, comma));
    value = text.substr(comma + 1);
    if (!kind || !value.starts_with(key)) refuse(text, form);
    spec.kind = *kind;
  } else if (text.starts_with(key)) {
    spec.kind = latency_spec::shape::lognormal;
  }
  if (value.starts_with(key)) value.remove_prefix(key.size());
  const auto p50 = read_duration(value);
  if (!p50) refuse(text, form);
  spec.p50 = *p50;
  return spec;
}

std::vector<outage_window> parse_outages(std::string_view text) {
  std::vector<outage_window> windows;
  for (const std::string_view part : split(text, ',')) windows.push_back(parse_outage(part));
  return windows;
}

request_limit parse_request_limit(std::string_view text) {
  const rate_spec rate = parse_rate(text);
  request_limit limit;
  limit.amount = rate.amount;
  limit.per = rate.per;
  limit.burst = rate.burst.value_or(0);
  return limit;
}

std::vector<unsigned> parse_statuses(std::string_view text) {
  std::vector<unsigned> statuses;
  for (const std::string_view part : split(text, ',')) {
    unsigned status = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), status);
    if (error != std::errc{} || end != part.data() + part.size() || status < 400 || status > 599)
      refuse(text, "a list of statuses from 400 to 599 such as 500,503");
    statuses.push_back(status);
  }
  return statuses;
}

}  // namespace dspu::app
