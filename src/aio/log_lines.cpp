#include "dspu/aio/log_lines.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <ostream>
#include <stdexcept>

namespace dspu::aio {

namespace {

constexpr std::size_t longest_line = 2048;
constexpr std::size_t longest_name = 100;
constexpr std::size_t longest_error = 250;
constexpr std::string_view cut_mark = " cut=true\n";

// The longest beginning of at most `most` bytes that ends with a whole character of UTF-8.
std::string_view beginning(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == '\'' || c == '`' || c == 0x7f) return false;
  }
  return true;
}

// A line in the making; a field that does not fit is left out whole.
class line {
 public:
  void field(std::string_view name, std::string_view value, std::size_t most) {
    const auto start = size_;
    begin(name);
    const auto part = beginning(value, most);
    const bool whole = part.size() == value.size();
    if (whole && is_plain(part)) {
      put(part);
    } else {
      put('"');
      for (const char c : part) put_quoted(c);
      if (!whole) put("…");
      put('"');
    }
    keep_or_undo(start);
  }
  void name(std::string_view key, std::string_view value) {
    if (!value.empty()) field(key, value, longest_name);
  }
  template <class Number>
  void number(std::string_view name, Number value) {
    const auto start = size_;
    begin(name);
    std::array<char, 40> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    put({digits.data(), static_cast<std::size_t>(end - digits.data())});
    keep_or_undo(start);
  }
  void time(std::chrono::system_clock::time_point t) {
    using namespace std::chrono;
    const auto day = floor<days>(t);
    const year_month_day date{day};
    const hh_mm_ss clock{floor<microseconds>(t - day)};
    std::array<char, 48> text;
    const int n = std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    field("time", {text.data(), static_cast<std::size_t>(n)}, text.size());
  }
  std::string_view finish() {
    const std::string_view end = cut_ ? cut_mark : "\n";
    std::memcpy(text_.data() + size_, end.data(), end.size());
    return {text_.data(), size_ + end.size()};
  }

 private:
  static constexpr std::size_t room = longest_line - cut_mark.size();

  void begin(std::string_view name) {
    if (size_ > 0) put(' ');
    put(name);
    put('=');
  }
  void put(char c) { put(std::string_view(&c, 1)); }
  void put(std::string_view text) {
    if (full_ || text.size() > room - size_) {
      full_ = true;
      return;
    }
    std::memcpy(text_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  void put_quoted(char c) {
    switch (c) {
      case '"':
        return put("\\\"");
      case '\\':
        return put("\\\\");
      case '\n':
        return put("\\n");
      case '\r':
        return put("\\r");
      case '\t':
        return put("\\t");
      default:
        break;
    }
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) return put(c);
    constexpr std::string_view hex = "0123456789abcdef";
    put("\\u00");
    put(hex[static_cast<unsigned char>(c) >> 4]);
    put(hex[static_cast<unsigned char>(c) & 15]);
  }
  void keep_or_undo(std::size_t start) {
    if (!full_) return;
    full_ = false;
    cut_ = true;
    size_ = start;
  }

  std::array<char, longest_line> text_;
  std::size_t size_ = 0;
  bool full_ = false;
  bool cut_ = false;
};

void add_error(line& l, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    l.field("error", e.what(), longest_error);
  } catch (...) {
    l.field("error", "not a std::exception", longest_error);
  }
}

std::uint64_t bit_of(event_kind k) { return std::uint64_t{1} << static_cast<unsigned>(k); }

std::uint64_t bits_of(const std::vector<event_kind>& kinds) {
  std::uint64_t bits = kinds.empty() ? ~std::uint64_t{0} : 0;
  for (const auto k : kinds) bits |= bit_of(k);
  return bits;
}

void write_to(std::FILE* file, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size())
    throw std::runtime_error("log_lines: not written");
}

void write_to(std::ostream& stream, std::string_view text) {
  if (!stream.write(text.data(), static_cast<std::streamsize>(text.size()))) {
    throw std::runtime_error("log_lines: not written");
  }
}

}  // namespace

severity severity_of(const event& e) {
  const bool harmless = e.reason == "success" || e.reason == "cancelled" || e.reason == "ignored";
  switch (e.kind) {
    case event_kind::call_ended:
      return harmless ? severity::debug : severity::error;
    case event_kind::attempt_ended:
      return harmless ? severity::debug : severity::warning;
    case event_kind::waited:
      return severity::debug;
    case event_kind::retry_gave_up:
    case event_kind::refused:
    case event_kind::timed_out:
    case event_kind::fell_back:
      return severity::warning;
    case event_kind::state_changed:
      return e.state == "open" || e.state == "isolated" ? severity::warning : severity::information;
    default:
      return severity::information;
  }
}

std::string_view name_of(severity s) {
  switch (s) {
    case severity::debug:
      return "debug";
    case severity::information:
      return "info";
    case severity::warning:
      return "warning";
    case severity::error:
      return "error";
  }
  return "unknown";
}

log_lines::log_lines(sink to, log_lines_options options)
    : sink_(std::move(to)), options_(std::move(options)), kinds_(bits_of(options_.kinds)) {
  if (!sink_) throw std::invalid_argument("log_lines.sink must not be empty");
}

log_lines::log_lines(std::FILE* to, log_lines_options options)
    : log_lines([to](std::string_view text) { write_to(to, text); }, std::move(options)) {
  if (to == nullptr) throw std::invalid_argument("log_lines.to must not be null");
}

log_lines::log_lines(std::ostream& to, log_lines_options options)
    : log_lines([&to](std::string_view text) { write_to(to, text); }, std::move(options)) {}

bool log_lines::wanted(const event& e) const {
  return severity_of(e) >= options_.at_least && (kinds_ & bit_of(e.kind)) != 0 &&
         (!options_.only || options_.only(e));
}

void log_lines::write(const event& e) {
  line l;
  if (options_.with_time) l.time(options_.time ? options_.time() : std::chrono::system_clock::now());
  l.name("level", name_of(severity_of(e)));
  l.name("event", name_of(e.kind));
  l.name("pipeline", e.pipeline);
  l.name("policy", e.policy);
  l.name("reason", e.reason);
  l.name("state", e.state);
  l.number("call", e.call);
  l.number("attempt", e.attempt);
  for (const fact& f : e.facts) l.number(f.name, f.value);
  if (e.error) add_error(l, e.error);
  const auto text = l.finish();
  const std::lock_guard lock(mutex_);
  sink_(text);
}

void log_lines::on_event(const event& e) noexcept {
  try {
    if (wanted(e)) write(e);
  } catch (...) {
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace dspu::aio
