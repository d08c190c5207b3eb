#include "dspu/progress.hpp"

#include "dspu/format.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace dspu::app {

namespace {

constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view yellow = "\x1b[33m";
constexpr std::string_view plain = "\x1b[0m";

class line_builder {
 public:
  explicit line_builder(bool colour) : colour_(colour) {}

  void add(const std::string& text, std::string_view code = {}) {
    if (!line_.empty()) line_ += "  ";
    const bool coloured = colour_ && !code.empty();
    if (coloured) line_ += code;
    line_ += text;
    if (coloured) line_ += plain;
  }
  std::string take() { return std::move(line_); }

 private:
  bool colour_;
  std::string line_;
};

std::string done_text(const progress_view& view) {
  std::string text = std::to_string(view.counts.done());
  if (!view.expected || *view.expected == 0) return text;
  text += view.expected_is_exact ? "/" : "/~";
  text += std::to_string(*view.expected);
  const auto percent = std::min<std::uint64_t>(100, view.counts.done() * 100 / *view.expected);
  return text + " " + std::to_string(percent) + "%";
}

std::optional<std::string> eta_text(const progress_view& view) {
  if (!view.expected || *view.expected <= view.counts.done() || view.rate <= 0) return std::nullopt;
  const double seconds = static_cast<double>(*view.expected - view.counts.done()) / view.rate;
  if (seconds > 1e8) return std::nullopt;
  // Whole seconds: it is a guess.
  return "ETA " + format_duration(std::chrono::seconds(static_cast<std::int64_t>(std::ceil(seconds))));
}

}  // namespace

std::string progress_line(const progress_view& view, bool colour) {
  line_builder line(colour);
  line.add(done_text(view));
  line.add("ok " + std::to_string(view.counts.ok), view.counts.ok > 0 ? green : "");
  line.add("failed " + std::to_string(view.counts.failed), view.counts.failed > 0 ? red : "");
  line.add("retried " + std::to_string(view.counts.retries));
  line.add("in flight " + std::to_string(view.in_flight));
  line.add(format_rate(view.rate));
  if (view.origins.paced == 1)
    line.add(view.origins.one_of_them.origin + ": " + describe(view.origins.one_of_them.report));
  if (view.origins.paced > 1)
    line.add("pace " + format_rate(view.origins.pace) + " at " + std::to_string(view.origins.paced) + " origins");
  if (view.origins.waiting_for_rate > 0)
    line.add("rate-limited " + std::to_string(view.origins.waiting_for_rate));
  if (view.origins.held > 0) line.add("held " + std::to_string(view.origins.held), yellow);
  if (view.origins.open > 0) line.add("open " + std::to_string(view.origins.open), red);
  if (view.stopping) {
    line.add("stopping", yellow);
  } else if (const auto eta = eta_text(view)) {
    line.add(*eta);
  }
  return line.take();
}

double rate_meter::update(std::uint64_t done, std::chrono::nanoseconds elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed - at_).count();
  if (seconds <= 0) return rate_.value_or(0);
  const double now = static_cast<double>(done - done_) / seconds;
  constexpr double window = 10;
  const double weight = 1 - std::exp(-seconds / window);
  rate_ = rate_ ? *rate_ + weight * (now - *rate_) : now;
  done_ = done;
  at_ = elapsed;
  return *rate_;
}

std::string cut_to_width(const std::string& line, std::size_t columns) {
  std::string cut;
  std::size_t used = 0;
  bool in_code = false;
  bool coloured = false;
  for (const char c : line) {
    if (c == '\x1b') in_code = coloured = true;
    if (!in_code && ++used > columns) {
      if (coloured) cut += plain;
      return cut;
    }
    cut += c;
    if (in_code && c == 'm') in_code = false;
  }
  return cut;
}

}  // namespace dspu::app
