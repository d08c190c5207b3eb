// The values of the command line: rates, and the durations, sizes and ratios that are read by the same rules.
#include "dspu/pacer.hpp"
#include "dspu/parse.hpp"
#include "fuzz/claim.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <stdexcept>

namespace {

using namespace dspu::app;
using dspu::core::instant;
using dspu::fuzz::claim;
using std::chrono::nanoseconds;

std::string plain(double value) {
  std::array<char, 1100> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  claim(error == std::errc{}, "a double fits into the buffer");
  return {text.data(), end};
}

std::string to_text(const rate_spec& spec) {
  std::string text = plain(spec.amount) + "/" + std::to_string(spec.per.count()) + "ns";
  if (spec.burst) text += ",burst=" + plain(*spec.burst);
  return text;
}

// What is refused is quoted; nothing else is ever thrown.
template <class Read>
auto read(std::string_view text, Read read_it) -> std::optional<decltype(read_it(text))> {
  try {
    return read_it(text);
  } catch (const std::invalid_argument& error) {
    const bool quotable = text.find('\0') == std::string_view::npos;  // as all arguments of a command are
    claim(!quotable || std::string_view(error.what()).find(text) != std::string_view::npos,
          "a refusal quotes its text", error.what());
    return std::nullopt;
  }
}

bool starts_with_digit(std::string_view text) { return text.front() >= '0' && text.front() <= '9'; }

// Whatever rate is accepted can be kept: never more than the burst and what the time makes, never stuck.
void check_pacer(const rate_spec& spec, const std::string& shown) {
  instant now{std::chrono::hours(1)};
  std::optional<pacer> limit;
  try {
    limit.emplace(spec, now);
  } catch (const std::invalid_argument&) {
    return;  // a rate that no bucket can keep is refused by name
  }
  const instant start = now;
  // A bucket counts in fractions of a token, but those that make more than 1e8 a second in halves and wholes.
  const double per_second = spec.amount / std::chrono::duration<double>(spec.per).count();
  // Without a burst calls are spaced evenly; of a high rate as many go at once as 50 ms make.
  const double burst = spec.burst.value_or(std::max(1.0, 0.05 * per_second));
  const double rounding = per_second > 1e8 || burst > 1e8 ? 0.5 : 1e-6;
  for (int taken = 0; taken < 40; ++taken) {
    if (!limit->ready(now)) {
      claim(limit->due() > now, "whoever must wait is told a later instant", shown);
      if (limit->due() == instant::max()) return;
      now = limit->due();
      claim(limit->ready(now), "the instant told is late enough", shown);
    }
    limit->take(now);
    const double made = spec.amount * std::chrono::duration<double>(now - start).count() /
                        std::chrono::duration<double>(spec.per).count();
    claim(taken + 1 <= (burst + made) * (1 + 1e-6) + rounding, "no more goes than burst and rate allow",
          shown);
  }
}

void check_rate(std::string_view text) {
  const auto spec = read(text, parse_rate);
  if (!spec) return;
  const std::string shown(text);
  claim(starts_with_digit(text), "a rate starts with a digit", shown);
  claim(std::isfinite(spec->amount) && spec->amount > 0, "an amount is finite and over 0", shown);
  claim(spec->per > nanoseconds::zero(), "a period is over 0", shown);
  claim(!spec->burst || (std::isfinite(*spec->burst) && *spec->burst >= 1), "a burst is at least 1", shown);
  claim(parse_rate(to_text(*spec)) == *spec, "parse(format(x)) == x", shown + " as " + to_text(*spec));
  check_pacer(*spec, shown);
}

void check_others(std::string_view text) {
  const std::string shown(text);
  if (const auto duration = read(text, parse_duration)) {
    claim(*duration >= nanoseconds::zero(), "a duration is not negative", shown);
    // Beyond 2^53 ns (104 days) the number is read to the nearest double.
    const double exact =
        std::chrono::duration<double, std::nano>(parse_duration(std::to_string(duration->count()) + "ns"))
            .count();
    const auto count = static_cast<double>(duration->count());
    claim(std::abs(exact - count) <= count * 0x1p-52, "parse(format(x)) == x", shown);
  }
  if (const auto size = read(text, parse_size)) {
    claim(*size <= 9'223'372'036'854'775'807U, "a size fits 63 bits", shown);
    const auto again = static_cast<double>(parse_size(std::to_string(*size)));
    const auto count = static_cast<double>(*size);
    claim(std::abs(again - count) <= count * 0x1p-52, "parse(format(x)) == x", shown);
  }
  if (const auto ratio = read(text, parse_ratio)) {
    claim(*ratio >= 0 && *ratio <= 1, "a ratio is from 0 to 1", shown);
    claim(parse_ratio(plain(*ratio)) == *ratio, "parse(format(x)) == x", shown);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_rate(text);
  check_others(text);
  return 0;
}
