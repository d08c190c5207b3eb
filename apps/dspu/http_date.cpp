#include "dspu/http_date.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace dspu::app {

namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// Reads a date piece by piece; after the first piece that does not fit, everything fails.
class date_reader {
 public:
  explicit date_reader(std::string_view rest) : rest_(rest) {}

  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }

  void literal(std::string_view expected) {
    if (rest_.starts_with(expected)) {
      rest_.remove_prefix(expected.size());
    } else {
      good_ = false;
    }
  }

  int digits(std::size_t count) {
    const std::string_view piece = rest_.substr(0, count);
    if (piece.size() != count || !all_digits(piece)) {
      good_ = false;
      return 0;
    }
    rest_.remove_prefix(count);
    int value = 0;
    for (const char c : piece) value = value * 10 + (c - '0');
    return value;
  }

  // The day of an asctime date: "06" is written " 6".
  int padded_day() {
    if (!rest_.starts_with(' ')) return digits(2);
    rest_.remove_prefix(1);
    return digits(1);
  }

  unsigned month() {
    static constexpr std::array<std::string_view, 12> names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto found =
        std::ranges::find_if(names, [&](std::string_view n) { return same_letters(n, rest_.substr(0, 3)); });
    if (found == names.end()) {
      good_ = false;
      return 0;
    }
    rest_.remove_prefix(3);
    return static_cast<unsigned>(found - names.begin()) + 1;
  }

  seconds time_of_day() {
    const int hour = digits(2);
    literal(":");
    const int minute = digits(2);
    literal(":");
    const int second = digits(2);
    // 60 is a leap second.
    if (hour > 23 || minute > 59 || second > 60) good_ = false;
    return std::chrono::hours(hour) + std::chrono::minutes(minute) + seconds(second);
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

std::optional<sys_seconds> assemble(const date_reader& reader, int year, unsigned month, int day,
                                    seconds time) {
  if (!reader.good() || !reader.at_end()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + time;
}

// The name of the day must be one; whether it is the right one does not matter.
std::optional<std::string_view> after_day_name(std::string_view text, bool in_full) {
  static constexpr std::array<std::string_view, 7> names{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                         "Thursday", "Friday", "Saturday"};
  for (const std::string_view name : names) {
    const std::string_view wanted = in_full ? name : name.substr(0, 3);
    if (same_letters(text.substr(0, wanted.size()), wanted)) return text.substr(wanted.size());
  }
  return std::nullopt;
}

// Sun, 06 Nov 1994 08:49:37 GMT
std::optional<sys_seconds> read_imf_date(std::string_view text) {
  const auto rest = after_day_name(text, false);
  if (!rest) return std::nullopt;
  date_reader reader(*rest);
  reader.literal(", ");
  const int day = reader.digits(2);
  reader.literal(" ");
  const unsigned month = reader.month();
  reader.literal(" ");
  const int year = reader.digits(4);
  reader.literal(" ");
  const seconds time = reader.time_of_day();
  reader.literal(" GMT");
  return assemble(reader, year, month, day, time);
}

int full_year(int two_digits, sys_seconds now) {
  const std::chrono::year_month_day today{std::chrono::floor<std::chrono::days>(now)};
  const int this_year = static_cast<int>(today.year());
  const int candidate = this_year - this_year % 100 + two_digits;
  return candidate > this_year + 50 ? candidate - 100 : candidate;
}

// Sunday, 06-Nov-94 08:49:37 GMT
std::optional<sys_seconds> read_rfc850_date(std::string_view text, sys_seconds now) {
  const auto rest = after_day_name(text, true);
  if (!rest) return std::nullopt;
  date_reader reader(*rest);
  reader.literal(", ");
  const int day = reader.digits(2);
  reader.literal("-");
  const unsigned month = reader.month();
  reader.literal("-");
  const int year = reader.digits(2);
  reader.literal(" ");
  const seconds time = reader.time_of_day();
  reader.literal(" GMT");
  return assemble(reader, full_year(year, now), month, day, time);
}

// Sun Nov  6 08:49:37 1994
std::optional<sys_seconds> read_asctime_date(std::string_view text) {
  const auto rest = after_day_name(text, false);
  if (!rest) return std::nullopt;
  date_reader reader(*rest);
  reader.literal(" ");
  const unsigned month = reader.month();
  reader.literal(" ");
  const int day = reader.padded_day();
  reader.literal(" ");
  const seconds time = reader.time_of_day();
  reader.literal(" ");
  const int year = reader.digits(4);
  return assemble(reader, year, month, day, time);
}

}  // namespace

std::optional<sys_seconds> parse_http_date(std::string_view text, sys_seconds now) {
  if (const auto date = read_imf_date(text)) return date;
  if (const auto date = read_rfc850_date(text, now)) return date;
  return read_asctime_date(text);
}

}  // namespace dspu::app
