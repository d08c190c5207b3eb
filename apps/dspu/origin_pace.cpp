#include "dspu/origin_pace.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace dspu::app {

namespace {

using namespace std::chrono_literals;

// Far above any limit, and far from overflow.
constexpr double most_calls = 1e15;

std::int64_t whole(double number) { return static_cast<std::int64_t>(std::min(std::floor(number), most_calls)); }

bool differs(const core::learnt_limit& a, const core::learnt_limit& b) {
  constexpr double a_tenth = 0.1;
  const auto far = [](const auto& x, const auto& y) {
    if (x.has_value() != y.has_value()) return true;
    return x && std::abs(static_cast<double>(*x) - static_cast<double>(*y)) > a_tenth * static_cast<double>(*y);
  };
  return far(a.rate, b.rate) || far(a.burst, b.burst) || far(a.concurrency, b.concurrency);
}

// "50/s", "1.67/s", "4.5/m": in a unit in which it is at least 1.
std::string as_rate(double per_second) {
  struct unit {
    double seconds;
    const char* name;
  };
  constexpr std::array<unit, 4> units{{{1, "s"}, {60, "m"}, {3600, "h"}, {86400, "d"}}};
  std::size_t which = 0;
  while (which + 1 < units.size() && per_second * units[which].seconds < 1) ++which;
  const double amount = per_second * units[which].seconds;
  std::array<char, 64> text{};
  const int decimals = amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
  const auto written = std::to_chars(text.data(), text.data() + text.size(), amount, std::chars_format::fixed, decimals);
  std::string number(text.data(), written.ptr);
  if (number.find('.') != std::string::npos) {
    number.erase(number.find_last_not_of('0') + 1);
    if (number.back() == '.') number.pop_back();
  }
  return number + "/" + units[which].name;
}

}  // namespace

core::limit_facts limit_facts_of(const attempt_result& result) {
  core::limit_facts facts;
  if (refusal_of(result) != load_refusal::none) facts.retry_after = result.retry_after;
  if (!result.quota) return facts;
  if (result.quota->limit) facts.limit = whole(*result.quota->limit);
  facts.remaining = whole(result.quota->remaining);
  facts.reset = result.quota->reset;
  return facts;
}

std::string describe(const pace_report& of) {
  std::string text = of.learnt.rate ? "about " + as_rate(*of.learnt.rate) : "no limit found";
  if (of.learnt.burst) text += ", burst " + std::to_string(*of.learnt.burst);
  if (of.learnt.concurrency) text += ", " + std::to_string(*of.learnt.concurrency) + " at once";
  return text + "; " + std::to_string(of.refused) + " refused";
}

std::string options_that_state(const std::vector<named_pace>& learnt) {
  std::string text;
  for (const auto& [origin, report] : learnt) {
    if (!report.learnt.rate) continue;
    const std::int64_t burst = report.learnt.burst.value_or(1);
    text += (text.empty() ? "" : " ") + std::string("--origin-rate '") + origin + "=" + as_rate(*report.learnt.rate) +
            (burst > 1 ? ",burst=" + std::to_string(burst) : "") + "'";
  }
  if (learnt.size() == 1 && learnt.front().report.learnt.concurrency)
    text += (text.empty() ? "" : " ") + std::string("--host-concurrency ") +
            std::to_string(*learnt.front().report.learnt.concurrency);
  return text;
}

core::duration origin_pace::gap() const {
  const auto pace = machine_ ? machine_->pace() : std::nullopt;
  return pace ? core::clamp_nanoseconds(1e9 / *pace, core::duration::max()) : core::duration::zero();
}

void origin_pace::settle(const machine::call& c, sign how, const core::limit_facts& facts, core::instant now) {
  if (how == sign::admitted) ++admitted_;
  if (how == sign::refused) ++refused_;
  if (!machine_) return;
  switch (how) {
    case sign::ignored:
      return machine_->ignored(c, now);
    case sign::admitted:
      return machine_->admitted(c, now, facts);
    case sign::refused:
      return machine_->refused(c, now, facts);
  }
}

pace_report origin_pace::report() const {
  return {machine_ ? machine_->learnt() : core::learnt_limit{}, admitted_, refused_};
}

std::optional<pace_report> origin_pace::news(core::instant now) {
  if (!machine_ || now < core::add_saturating(told_at_, 1s)) return std::nullopt;
  const pace_report now_is = report();
  if (!differs(now_is.learnt, told_)) return std::nullopt;
  told_ = now_is.learnt;
  told_at_ = now;
  return now_is;
}

}  // namespace dspu::app
