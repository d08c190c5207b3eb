#include "dspu/core/adaptive_rate_machine.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>

namespace dspu::core {

namespace {

bool within(std::int64_t x, std::int64_t low, std::int64_t high) { return x >= low && x <= high; }

const adaptive_rate_options& checked(const adaptive_rate_options& o) {
  require(o.max_rate > 0 && o.max_rate <= 1e9, "adaptive_rate.max_rate", o.max_rate,
          "above 0 and at most 1e9");
  require(o.min_rate > 0 && o.min_rate <= o.max_rate, "adaptive_rate.min_rate", o.min_rate,
          "above 0 and at most max_rate");
  if (o.initial_rate) {
    require(*o.initial_rate >= o.min_rate && *o.initial_rate <= o.max_rate, "adaptive_rate.initial_rate",
            *o.initial_rate, "min_rate to max_rate");
  }
  require(within(o.max_burst, 1, 1'000'000), "adaptive_rate.max_burst", o.max_burst, "1 to 1e6");
  require(within(o.max_concurrency, 1, 1'000'000), "adaptive_rate.max_concurrency", o.max_concurrency,
          "1 to 1e6");
  require(o.max_hold >= duration{0}, "adaptive_rate.max_hold", o.max_hold, "at least 0 s");
  return o;
}

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

constexpr double margin = 0.95;  // of the measured rate

}  // namespace

adaptive_rate_machine::adaptive_rate_machine(const adaptive_rate_options& options, instant now)
    : options_(checked(options)), since_(now) {
  if (options_.initial_rate) set_pace(*options_.initial_rate);
}

void adaptive_rate_machine::set_pace(double rate) {
  pace_ = std::clamp(rate, options_.min_rate, options_.max_rate);
  interval_ = clamp_nanoseconds(1e9 / pace_, duration::max());
}

instant adaptive_rate_machine::ready_at(instant now) const {
  const std::int64_t most =
      pace_ > 0 ? options_.max_concurrency : std::min(options_.max_concurrency, window_);
  if (in_flight_ >= most) return instant::max();
  return std::max({now, held_until_, next_});
}

adaptive_rate_machine::call adaptive_rate_machine::send(instant now) {
  ++in_flight_;
  ++sent_;
  if (pace_ > 0) next_ = add_saturating(std::max(next_, now), interval_);
  return {now, in_flight_, epoch_};
}

void adaptive_rate_machine::admitted(const call& c, instant now, const limit_facts& facts) {
  --in_flight_;
  ++admitted_;
  if (facts.remaining && *facts.remaining <= 0) hold({.retry_after = facts.reset}, now);
  if (pace_ == 0) {
    if (++credit_ % 4 == 0) ++window_;
    burst_ = std::max(burst_, admitted_);
    return;
  }
  if (c.epoch == epoch_ && now - grown_ >= std::chrono::milliseconds{500}) {
    grown_ = now;
    set_pace(pace_ * 1.02);
  }
}

void adaptive_rate_machine::refused(const call& c, instant now, const limit_facts& facts) {
  --in_flight_;
  hold(facts, now);
  if (c.epoch != epoch_) return;  // of the event before
  ++epoch_;
  const double span = seconds(std::max(now - since_, duration{1'000'000}));
  const auto count = static_cast<double>(admitted_);
  if (pace_ == 0) {
    set_pace(std::max(1.0, count));
  } else {
    set_pace(std::min(pace_ * margin, std::max(pace_ / 2, count / span * margin)));
  }
  next_ = add_saturating(now, interval_);
  since_ = grown_ = now;
  admitted_ = 0;
}

void adaptive_rate_machine::ignored(const call&, instant) { --in_flight_; }

void adaptive_rate_machine::give_back(const call&, instant) {
  --in_flight_;
  if (pace_ > 0) next_ = add_saturating(next_, -interval_);
}

void adaptive_rate_machine::hold(const limit_facts& facts, instant now) {
  std::optional<duration> asked = facts.retry_after;
  if (!asked && facts.remaining && *facts.remaining <= 0) asked = facts.reset;
  if (asked)
    held_until_ =
        std::max(held_until_, add_saturating(now, std::clamp(*asked, duration{0}, options_.max_hold)));
}

void adaptive_rate_machine::reconfigure(const adaptive_rate_options& options) {
  options_ = checked(options);
  if (pace_ > 0) set_pace(pace_);
}

learnt_limit adaptive_rate_machine::learnt() const {
  learnt_limit l;
  if (epoch_ > 0) l.rate = pace_;
  if (epoch_ > 0) l.burst = std::min(burst_, options_.max_burst);
  return l;
}

std::optional<double> adaptive_rate_machine::pace() const {
  if (pace_ == 0) return std::nullopt;
  return pace_;
}

}  // namespace dspu::core
