#include "dspu/core/adaptive_rate_machine.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <cmath>

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

constexpr double slow_start_time = 0.06;  // s: in about so long the calls in flight grow e-fold
constexpr double margin = 0.97;           // of the measured rate
constexpr double first_step = 0.03;
constexpr double small_step = 0.25;
constexpr double credit_per_call = 0.01;
constexpr double most_credit = 20;
constexpr double probe_every = 1.5;

}  // namespace

adaptive_rate_machine::adaptive_rate_machine(const adaptive_rate_options& options, instant now)
    : options_(checked(options)), bucket_(now), start_(now), up_since_(now) {
  if (options_.initial_rate) {
    phase_ = phase::probing;
    set_pace(*options_.initial_rate, now);
    next_ = now;
  }
}

void adaptive_rate_machine::set_pace(double rate, instant now) {
  pace_ = std::clamp(rate, options_.min_rate, options_.max_rate);
  const duration interval = clamp_nanoseconds(1e9 / pace_, duration::max());
  // The next call waits for what is left of the new interval.
  if (next_ != instant::min()) {
    const instant last = add_saturating(next_, -interval_);
    next_ = std::max(add_saturating(last, interval), now);
  } else
    next_ = add_saturating(now, interval);
  interval_ = interval;
  bucket_.turn(now);
  ++stage_;
  stage_admitted_ = 0;
  stage_began_ = now;
}

// Wald: so that the chance of a false alarm does not grow with the number of calls.
double adaptive_rate_machine::threshold() const { return 5 + 0.5 * std::log(1 + static_cast<double>(sent_)); }

instant adaptive_rate_machine::ready_at(instant now) const {
  const double most = pace_ > 0 && !window_learnt_
                          ? static_cast<double>(options_.max_concurrency)
                          : std::min(static_cast<double>(options_.max_concurrency), std::floor(window_));
  if (static_cast<double>(in_flight_) >= most) return instant::max();
  instant at = std::max(held_until_, next_);
  if (left_serial_ >= 0 && left_ <= 0) at = std::max(at, reset_at_);
  return std::max(now, at);
}

adaptive_rate_machine::call adaptive_rate_machine::send(instant now) {
  ++in_flight_;
  ++sent_;
  if (left_serial_ >= 0) {
    --left_;
    if (now >= reset_at_) {
      left_serial_ = -1;
      if (pace_ == 0 && !window_learnt_) window_ = 4;
    }
  }
  ++up_calls_;
  bool on_pace = true;
  if (pace_ > 0 && now - next_ > 4 * interval_) bucket_.turn(now);
  bucket_.sent(now);
  if (pace_ > 0) {
    on_pace = now - next_ <= std::max<duration>(interval_, std::chrono::milliseconds{5});
    next_ = add_saturating(std::max(next_, add_saturating(now, -std::chrono::milliseconds{5})), interval_);
    if (next_ <= now && interval_ > std::chrono::milliseconds{5}) next_ = now + interval_;
  } else
    on_pace = static_cast<double>(in_flight_) >= std::floor(window_) - 1;
  return {now, sent_, in_flight_, stage_, on_pace};
}

void adaptive_rate_machine::take_facts(const call& c, const limit_facts& facts, instant now) {
  if (facts.retry_after) {
    hold(add_saturating(now, std::clamp(*facts.retry_after, duration{0}, options_.max_hold)));
  }
  if (facts.remaining && facts.reset && c.serial > left_serial_) {
    const instant reset = add_saturating(now, std::clamp(*facts.reset, duration{0}, options_.max_hold));
    if (reset > now) {
      left_serial_ = c.serial;
      left_ = *facts.remaining - (sent_ - c.serial);
      reset_at_ = reset;
    }
  }
}

void adaptive_rate_machine::hold(instant until) {
  held_until_ = std::max(held_until_, until);
  if (pace_ > 0) next_ = std::max(next_, add_saturating(held_until_, interval_));
}

void adaptive_rate_machine::admitted(const call& c, instant now, const limit_facts& facts) {
  --in_flight_;
  take_facts(c, facts, now);
  credit_ = std::min(credit_ + credit_per_call, most_credit);
  const double took = seconds(now - c.sent);
  rtt_ = rtt_ == 0 ? took : rtt_ + (took - rtt_) / 8;
  test_.admitted();
  if (pace_ > 0) return paced_admitted(c, now);
  if (phase_ == phase::testing) return test_admitted(c, now);
  if (!window_learnt_) {
    if (c.on_pace) window_ += std::clamp(rtt_ / slow_start_time, 0.05, 0.3);
    return;
  }
  ++window_admitted_;
  if (c.stage != stage_) return;
  // A concurrency limit: one more, at times.
  if (window_admitted_ >= static_cast<std::int64_t>(2 * window_) && c.on_pace) {
    if (window_step_ > 1 || (credit_ >= 1 && seconds(now - window_since_) > probe_every)) {
      window_ += window_step_;
      window_step_ = std::min(window_step_ * 2, std::max(1.0, window_ / 2));
      window_admitted_ = 0;
      ++stage_;
    }
  }
}

void adaptive_rate_machine::refused(const call& c, instant now, const limit_facts& facts) {
  --in_flight_;
  take_facts(c, facts, now);
  --up_calls_;
  if (c.serial > last_refused_) bucket_.lost();
  cost_ = facts.retry_after.value_or(duration{0});
  if (pace_ > 0) return paced_refused(c, now);
  if (phase_ == phase::testing) return test_refused(c, now);
  open_refused(c, now, facts.retry_after && *facts.retry_after > duration{0});
}

void adaptive_rate_machine::open_refused(const call& c, instant now, bool hinted) {
  if (c.stage < cut_) return;
  if (window_learnt_ && c.stage == stage_ && window_step_ > 1) {  // a probe of one more
    window_ = std::max(1.0, window_ - window_step_ / 2);
    window_step_ = 1;
    window_since_ = now;
    window_admitted_ = 0;
    cut_ = ++stage_;
    return;
  }
  if (test_.quiet()) first_ = {c.sent, c.serial, c.in_flight};
  if (!window_learnt_) window_ = std::max(1.0, window_ - 1);
  if (!test_.refused(threshold()) && !hinted) return;
  test_.reset();
  burst_ = static_cast<double>(first_.serial - last_refused_ - 1);
  bucket_.empty_at(first_.at, sent_ - c.serial);
  last_refused_ = c.serial;
  cut_ = ++stage_;
  const bool again = window_learnt_;
  window_learnt_ = false;
  if (hinted || (again && seconds(now - window_since_) < 5)) return start_search(now);
  phase_ = phase::testing;
  window_step_ =
      static_cast<double>(std::max<std::int64_t>(1, first_.in_flight - 1));  // the limit in question
  window_ = 1;
  window_admitted_ = 0;
}

void adaptive_rate_machine::test_admitted(const call& c, instant now) {
  if (c.stage != stage_) return;
  ++window_admitted_;
  if (window_ < window_step_) {
    if (window_admitted_ < static_cast<std::int64_t>(window_)) return;
    window_ = window_ == 1 ? std::max(1.0, std::floor(window_step_ / 2)) : window_step_;
    if (window_step_ <= 2) window_ = window_step_;
    window_admitted_ = 0;
    ++stage_;
    return;
  }
  if (window_admitted_ < std::max<std::int64_t>(8, static_cast<std::int64_t>(2 * window_))) return;
  phase_ = phase::open;
  window_learnt_ = true;
  window_since_ = now;
  window_step_ = 1;
  window_admitted_ = 0;
  ++stage_;
}

void adaptive_rate_machine::test_refused(const call& c, instant now) {
  if (c.stage < cut_) {
    return found_empty(c);
  }
  if (window_ < window_step_ || window_step_ <= 1 || test_.refused(4)) {
    found_empty(c);
    start_search(now);
  }
}

// The refused call found nothing left. Those refused after it without one admitted in between tell nothing
// more.
void adaptive_rate_machine::found_empty(const call& c) {
  const std::int64_t after = sent_ - c.serial;
  if (c.serial <= last_refused_ || bucket_.calls() - after < 1) return;
  seen_ = bucket_.at_refusal(c.sent, after, interval_);
  seen_.low = std::min(seen_.low, 0.98 * seen_.high);
  bucket_.empty_at(c.sent, after);
  last_refused_ = c.serial;
}

void adaptive_rate_machine::start_search(instant now) {
  test_.reset();
  phase_ = phase::probing;
  base_ = ceiling_ = rate_ = 0;
  step_ = 1;
  falls_ = 1;
  changed_ = false;
  stage_length_ = 3;
  if (held_until_ > now) stage_length_ = std::clamp<std::int64_t>(static_cast<std::int64_t>(burst_), 3, 100);
  next_ = instant::min();
  set_pace(std::max(burst_, 8.0), now);
  cut_ = stage_;
  if (held_until_ > now) next_ = std::max(next_, add_saturating(held_until_, interval_));
}

void adaptive_rate_machine::paced_admitted(const call& c, instant now) {
  if (c.stage < cut_ || c.stage != stage_ || !c.on_pace) return;
  ++stage_admitted_;
  if (phase_ == phase::holding) return probe_if_due(now);
  if (falls_ > 1) return rise(now);
  falls_ = 0;
  if (stage_admitted_ < stage_length_ || (period_ > duration{0} && now - stage_began_ < period_)) return;
  base_ = pace_;
  step_up(now);
}

void adaptive_rate_machine::probe_if_due(instant now) {
  const double overshoot = pace_ * rtt_ * small_step / (1 + small_step);
  const double pause = std::max(probe_every, 25 * seconds(cost_));
  if (stage_admitted_ >= 3) falls_ = 0;
  if (stage_admitted_ == 3 && jumped_) {  // no token bucket does that
    jumped_ = false;
    const duration since = up_since_ - before_up_;
    period_ = period_ == duration{0} ? since : std::min(period_, since);
  }
  if (stage_admitted_ < 3 || credit_ < 1 + overshoot || seconds(now - failed_at_) < pause) return;
  phase_ = phase::probing;
  base_ = pace_;
  ceiling_ = 0;
  step_ = first_step;
  stage_length_ = 4;
  set_pace(pace_ * (1 + step_), now);
}

// The first call that is admitted after several that were refused, ever more slowly.
void adaptive_rate_machine::rise(instant now) {
  const double lately = static_cast<double>(up_calls_) / seconds(now - up_since_);
  const bool outage = falls_ > 2;
  falls_ = 0;
  const double before = rate_ > 0 ? std::min(rate_, seen_.high) : lately;
  if (outage && !jumped_ && before > pace_) {
    before_up_ = up_since_;
    up_since_ = now;
    up_calls_ = 0;
    jumped_ = true;
    return settle(before, now);
  }
  jumped_ = false;
  up_since_ = now;
  up_calls_ = 0;
  step_ = 1;
  stage_length_ = 3;
  base_ = pace_;
  step_up(now);
}

double adaptive_rate_machine::tolerance() const { return 1.1 + seconds(cost_) / 15; }

void adaptive_rate_machine::step_up(instant now) {
  if (ceiling_ > base_) {
    if (ceiling_ / base_ < tolerance()) return settle(base_, now);
    return set_pace(std::min(std::sqrt(base_ * ceiling_), 2 * base_), now);
  }
  ceiling_ = 0;
  set_pace(base_ * (1 + step_), now);
  const bool risen = rate_ == 0 || period_ > duration{0} || bucket_.tokens(rate_, now) < -3;
  step_ = std::min(2 * step_, risen ? 1.0 : std::max(small_step, step_));
}

void adaptive_rate_machine::settle(double rate, instant now) {
  phase_ = phase::holding;
  rate_ = rate;
  base_ = margin * rate;
  failed_at_ = now;
  test_.reset();
  if (changed_) credit_ = std::max(credit_, 4.0);
  changed_ = false;
  set_pace(base_, now);
}

void adaptive_rate_machine::paced_refused(const call& c, instant now) {
  const bool nothing = bucket_.calls() - (sent_ - c.serial) < 1;
  found_empty(c);
  if (phase_ == phase::probing || c.stage < cut_) credit_ = std::max(credit_ - 1, -3.0);
  if (c.stage < cut_) return;
  if (nothing && (phase_ == phase::probing || stage_admitted_ == 0)) {
    ceiling_ = pace_;
    fall(now);
  } else if (phase_ == phase::probing) {
    failed_at_ = now;
    ++falls_;
    narrow(period_ > duration{0} && base_ > 0 ? rate_range{base_, pace_} : seen_, now);
  } else {
    return refused_at_base(c, now);
  }
  cut_ = stage_;
}

void adaptive_rate_machine::refused_at_base(const call& c, instant now) {
  if (test_.quiet()) {
    first_ = {c.sent, c.serial, c.in_flight};
    first_lost_ = 0;
  }
  ++first_lost_;
  if (!test_.refused(threshold())) {
    base_ = std::max(base_ * 0.98, 0.9 * rate_);
    const auto admitted = stage_admitted_;
    set_pace(base_, now);
    stage_admitted_ = admitted;
    return;
  }
  test_.reset();
  changed_ = true;
  const double span = seconds(c.sent - first_.at);
  const double count = static_cast<double>(c.serial - first_.serial + 1 - first_lost_);
  ceiling_ = base_;
  phase_ = phase::probing;
  step_ = 1;
  stage_length_ = 3;
  if (count < 1 || span <= 0) {
    fall(now);
  } else {
    ++falls_;
    narrow({std::max(count - 1, 0.5) / span, std::min((count + 1) / span, base_)}, now);
  }
  cut_ = stage_;
}

void adaptive_rate_machine::fall(instant now) {
  phase_ = phase::probing;
  ++falls_;
  base_ = 0;
  const double slower = interval_ > std::chrono::minutes{1}   ? 1.25
                        : interval_ > std::chrono::seconds{1} ? 1.5
                                                              : 2;
  set_pace(pace_ / slower, now);
}

void adaptive_rate_machine::narrow(rate_range r, instant now) {
  ceiling_ = r.high;
  base_ = r.low;
  const double middle = cost_ > std::chrono::milliseconds{500} ? base_ : std::sqrt(base_ * ceiling_);
  if (ceiling_ / base_ < tolerance()) return settle(middle, now);
  set_pace(std::sqrt(base_ * ceiling_), now);
}

void adaptive_rate_machine::ignored(const call& c, instant) {
  --in_flight_;
  if (c.serial > last_refused_) bucket_.lost();
}

void adaptive_rate_machine::give_back(const call& c, instant) {
  --in_flight_;
  if (c.serial > last_refused_) bucket_.lost();
  if (pace_ > 0) next_ = add_saturating(next_, -interval_);
}

void adaptive_rate_machine::reconfigure(const adaptive_rate_options& options) { options_ = checked(options); }

learnt_limit adaptive_rate_machine::learnt() const {
  learnt_limit l;
  if (window_learnt_) l.concurrency = static_cast<std::int64_t>(window_);
  if (pace_ > 0) l.rate = rate_ > 0 ? rate_ : pace_;
  if (pace_ > 0) l.burst = std::min(static_cast<std::int64_t>(burst_), options_.max_burst);
  return l;
}

std::optional<double> adaptive_rate_machine::pace() const {
  if (pace_ == 0) return std::nullopt;
  return pace_;
}

}  // namespace dspu::core
