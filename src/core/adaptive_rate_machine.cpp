#include "dspu/core/adaptive_rate_machine.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dspu::core {

namespace {

using std::chrono::milliseconds;

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
  require(o.memory > duration{0}, "adaptive_rate.memory", o.memory, "above 0 s");
  return o;
}

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

constexpr double margin = 0.97;           // of the rate: the pace between probes
constexpr double first_step = 0.03;       // of a probe, then twice as much each time
constexpr double largest_step = 0.25;     // unless the rate has risen
constexpr double credit_per_call = 0.01;  // refusals for probes
constexpr double most_credit = 20;
constexpr double least_credit = -3;
constexpr double after_change = 4;       // credit
constexpr double shortest_pause = 1.5;   // s, between probes
constexpr double longest_pause = 3;      // s
constexpr double lowest_first_pace = 8;  // calls per second
constexpr duration shortest_stage = milliseconds{15};

}  // namespace

adaptive_rate_machine::adaptive_rate_machine(const adaptive_rate_options& options, instant now)
    : options_(checked(options)), stated_(options.max_hold), bucket_(now), up_since_(now) {
  if (!options_.initial_rate) return;
  window_.lift();
  phase_ = phase::seeking;
  set_pace(*options_.initial_rate, now);
  spacing_.start_at(now);
}

void adaptive_rate_machine::set_pace(double rate, instant now) {
  pace_ = std::clamp(rate, options_.min_rate, options_.max_rate);
  const double burst = rate_ > 0 ? bucket_.depth(rate_) / 2 : 1;
  spacing_.set(pace_, std::clamp(burst, 1.0, static_cast<double>(options_.max_burst)), now);
  bucket_.turn(now);
  ++stage_;
  stage_admitted_ = 0;
  stage_began_ = std::max(now, stated_.until());
}

instant adaptive_rate_machine::ready_at(instant now) const {
  if (is_fresh(now)) return now;
  if (in_flight_ >= options_.max_concurrency || window_.full(in_flight_)) return instant::max();
  return std::max({now, stated_.until(), spacing_.ready_at()});
}

adaptive_rate_machine::call adaptive_rate_machine::send(instant now) {
  if (is_fresh(now)) *this = adaptive_rate_machine(options_, now);
  last_ = now;
  ++in_flight_;
  ++sent_;
  ++up_calls_;
  if (pace_ > 0 && now - spacing_.ready_at() > 4 * spacing_.interval()) bucket_.turn(now);
  bucket_.sent(now);
  stated_.take(now);
  const bool prompt = spacing_.take(now);
  return {now, sent_, in_flight_, stage_, prompt};
}

void adaptive_rate_machine::hear(const call& c, const limit_facts& facts, instant now) {
  if (!stated_.hear(facts, c.serial, sent_, now)) return;
  if (pace_ > 0) return spacing_.drain(stated_.until());
  if (window_.state() == in_flight_window::kind::opening) window_.open();
}

void adaptive_rate_machine::admitted(const call& c, instant now, const limit_facts& facts) {
  --in_flight_;
  last_ = now;
  hear(c, facts, now);
  credit_ = std::min(credit_ + credit_per_call, most_credit);
  const double took = seconds(now - c.sent);
  rtt_ = rtt_ == 0 ? took : rtt_ + (took - rtt_) / 8;
  test_.admitted();
  window_.admitted(c.serial, c.in_flight, rtt_);
  pace_ > 0 ? paced_admitted(c, now) : open_admitted(c, now);
}

void adaptive_rate_machine::refused(const call& c, instant now, const limit_facts& facts) {
  --in_flight_;
  last_ = now;
  --up_calls_;
  hear(c, facts, now);
  if (c.serial > last_empty_) bucket_.lost();
  cost_ = std::clamp(facts.retry_after.value_or(duration{0}), duration{0}, options_.max_hold);
  pace_ > 0 ? paced_refused(c, now) : open_refused(c, now);
}

// The refused call found nothing left. Those refused after it without one admitted in between tell nothing
// more.
void adaptive_rate_machine::found_empty(const call& c) {
  const std::int64_t after = sent_ - c.serial;
  if (c.serial <= last_empty_ || bucket_.calls() - after < 1) return;
  seen_ = bucket_.at_refusal(c.sent, after, spacing_.interval());
  if (seen_.low >= seen_.high) seen_.low = seen_.high / 2;  // the limit has changed meanwhile
  bucket_.empty_at(c.sent, after);
  last_empty_ = c.serial;
}

// ---- without a pace

// With a concurrency limit learnt: one more, at times.
void adaptive_rate_machine::open_admitted(const call& c, instant now) {
  if (window_.state() != in_flight_window::kind::learnt || c.stage != stage_) return;
  if (c.in_flight < window_.limit()) return;
  if (++stage_admitted_ < 2 * window_.limit()) return;
  if (phase_ == phase::probing) {
    step_ = std::min(2 * step_, std::max(1.0, base_ / 2));
  } else if (credit_ < 1 || seconds(now - failed_at_) < shortest_pause) {
    return;
  } else {
    phase_ = phase::probing;
    step_ = 1;
  }
  base_ = static_cast<double>(window_.limit());
  window_.learn(window_.limit() + static_cast<std::int64_t>(step_));
  ++stage_;
  stage_admitted_ = 0;
}

void adaptive_rate_machine::open_refused(const call& c, instant now) {
  if (c.stage < cut_) return;
  if (phase_ == phase::probing) {
    credit_ -= 1;
    phase_ = phase::open;
    window_.learn(static_cast<std::int64_t>(base_));
    failed_at_ = now;
    cut_ = ++stage_;
    stage_admitted_ = 0;
    return;
  }
  if (window_.refused(c.serial, c.in_flight)) return limit_in_flight(now);
  judge(c);
  if (!test_.refused(sent_) && cost_ == duration{0}) return;
  if (burst_ == 0) burst_ = std::max<std::int64_t>(1, first_.serial - 1);
  bucket_.empty_at(first_.sent, sent_ - first_.serial);
  last_empty_ = first_.serial;
  for (; first_refused_ > 1; --first_refused_) bucket_.lost();
  seek(now);
}

void adaptive_rate_machine::judge(const call& c) {
  if (test_.quiet()) {
    first_ = c;
    first_refused_ = 0;
  }
  ++first_refused_;
}

void adaptive_rate_machine::limit_in_flight(instant now) {
  phase_ = phase::open;
  pace_ = 0;
  spacing_.clear();
  test_.reset();
  failed_at_ = now;
  stage_admitted_ = 0;
  cut_ = ++stage_;
}

// ---- at a pace

void adaptive_rate_machine::seek(instant now) {
  test_.reset();
  window_.lift();
  phase_ = phase::seeking;
  base_ = ceiling_ = rate_ = 0;
  step_ = 1;
  falls_ = 1;
  failed_at_ = now;
  stage_length_ = cost_ > duration{0} ? std::clamp<std::int64_t>(burst_, 3, 100) : 3;
  set_pace(std::max(static_cast<double>(burst_), lowest_first_pace), now);
  spacing_.drain(std::max(now, stated_.until()));
  cut_ = stage_;
}

void adaptive_rate_machine::paced_admitted(const call& c, instant now) {
  if (c.stage != stage_ || !c.prompt) return;
  ++stage_admitted_;
  if (phase_ == phase::holding) return probe_if_due(now);
  if (falls_ > 1) return rise(now);
  falls_ = 0;
  if (stage_admitted_ < stage_length_ || now - stage_began_ < std::max(period_, shortest_stage)) return;
  base_ = pace_;
  step_up(now);
}

void adaptive_rate_machine::probe_if_due(instant now) {
  if (stage_admitted_ < 3) return;
  falls_ = 0;
  if (jumped_ && stage_admitted_ > 5 + 2 * (now - stage_began_) / outage_) {  // no token bucket does that
    jumped_ = false;
    const duration since = up_since_ - up_before_;
    period_ = period_ == duration{0} ? since : std::min(period_, since);
  }
  const double overshoot = pace_ * rtt_ * largest_step / (1 + largest_step);
  const double pause =
      std::max(std::min(shortest_pause + 0.5 * quiet_probes_, longest_pause), 25 * seconds(cost_));
  if (credit_ < 1 + overshoot || seconds(now - failed_at_) < pause) return;
  phase_ = phase::probing;
  base_ = pace_;
  ceiling_ = 0;
  step_ = first_step;
  stage_length_ = 4;
  set_pace(pace_ * (1 + step_), now);
}

// The first call that is admitted after several that were refused, ever more slowly.
void adaptive_rate_machine::rise(instant now) {
  const bool outage = falls_ > 2;
  outage_ = std::max(now - failed_at_, duration{1});
  falls_ = 0;
  const double lately = static_cast<double>(up_calls_) / seconds(now - up_since_);
  up_before_ = std::exchange(up_since_, now);
  up_calls_ = 0;
  const double before = rate_ > 0 ? std::min(rate_, seen_.high) : lately;
  if (outage && !jumped_ && before > pace_) {
    jumped_ = true;
    return settle(before, now);
  }
  jumped_ = false;
  step_ = 1;
  stage_length_ = 3;
  base_ = pace_;
  step_up(now);
}

double adaptive_rate_machine::tolerance() const { return 1.1 + seconds(cost_) / 15; }

void adaptive_rate_machine::step_up(instant now) {
  if (ceiling_ > base_) {
    if (ceiling_ / base_ < tolerance()) return settle(base_ / margin, now);
    return set_pace(base_ * std::min(2.0, std::pow(ceiling_ / base_, 0.3)), now);
  }
  ceiling_ = 0;
  set_pace(base_ * (1 + step_), now);
  const bool risen = rate_ == 0 || period_ > duration{0} || bucket_.tokens(rate_, now) < -3;
  if (risen) quiet_probes_ = 0;
  step_ = std::min(2 * step_, risen ? 1.0 : std::max(largest_step, step_));
}

void adaptive_rate_machine::settle(double rate, instant now) {
  phase_ = phase::holding;
  rate_ = rate;
  base_ = margin * rate;
  failed_at_ = now;
  test_.reset();
  if (changed_) credit_ = std::max(credit_, after_change);
  changed_ = false;
  set_pace(base_, now);
}

void adaptive_rate_machine::paced_refused(const call& c, instant now) {
  const bool nothing = bucket_.calls() - (sent_ - c.serial) < 1;
  found_empty(c);
  if (phase_ != phase::holding || c.stage < cut_) credit_ = std::max(credit_ - 1, least_credit);
  if (c.stage < cut_) return;
  if (window_.refused(c.serial, c.in_flight)) return limit_in_flight(now);
  if (nothing && (phase_ != phase::holding || stage_admitted_ == 0)) {
    fall(now);
  } else if (phase_ == phase::holding) {
    return base_refused(c, now);
  } else {
    failed_at_ = now;
    ++falls_;
    if (phase_ == phase::probing) ++quiet_probes_;
    narrow(period_ > duration{0} && base_ > 0 ? rate_range{base_, pace_} : seen_, now);
  }
  cut_ = stage_;
}

void adaptive_rate_machine::base_refused(const call& c, instant now) {
  judge(c);
  if (cost_ > duration{0}) {
    test_.reset();
    return settle(std::clamp(seen_.low, 0.9 * pace_, pace_), now);
  }
  if (!test_.refused(sent_)) {
    const auto admitted = stage_admitted_;
    set_pace(std::max(std::min(0.98 * pace_, margin * seen_.high), 0.9 * rate_), now);
    stage_admitted_ = admitted;
    return;
  }
  test_.reset();
  changed_ = true;
  quiet_probes_ = 0;
  const double span = seconds(c.sent - first_.sent);
  const double count = static_cast<double>(c.serial - first_.serial + 1 - first_refused_);
  phase_ = phase::seeking;
  step_ = 1;
  stage_length_ = 3;
  if (count < 1 || span <= 0) {
    fall(now);
  } else {
    ++falls_;
    narrow({std::max(count - 1, 0.5) / span, std::min((count + 1) / span, pace_)}, now);
  }
  cut_ = stage_;
}

void adaptive_rate_machine::fall(instant now) {
  if (falls_ == 0) failed_at_ = now;
  phase_ = phase::seeking;
  ++falls_;
  base_ = 0;
  ceiling_ = pace_;
  const duration interval = spacing_.interval();
  const double slower = interval < milliseconds{250}         ? 4
                        : interval < std::chrono::seconds{1} ? 2
                        : interval < std::chrono::minutes{1} ? 1.5
                                                             : 1.25;
  set_pace(pace_ / slower, now);
}

void adaptive_rate_machine::narrow(rate_range r, instant now) {
  ceiling_ = r.high;
  base_ = std::max(r.low, r.high / 4);
  const double middle = cost_ > milliseconds{500} ? base_ : std::sqrt(base_ * ceiling_);
  if (ceiling_ / base_ < tolerance()) return settle(middle, now);
  phase_ = phase::seeking;
  set_pace(base_ * std::pow(ceiling_ / base_, 0.3), now);
}

void adaptive_rate_machine::ignored(const call& c, instant now) {
  --in_flight_;
  last_ = now;
  if (c.serial > last_empty_) bucket_.lost();
}

void adaptive_rate_machine::give_back(const call& c, instant now) {
  ignored(c, now);
  if (pace_ > 0) spacing_.give_back();
}

void adaptive_rate_machine::reconfigure(const adaptive_rate_options& options) {
  options_ = checked(options);
  stated_.set_longest(options.max_hold);
  if (pace_ > 0) set_pace(pace_, last_);
}

learnt_limit adaptive_rate_machine::learnt() const {
  learnt_limit l;
  if (window_.state() == in_flight_window::kind::learnt) l.concurrency = window_.limit();
  if (pace_ > 0) l.rate = rate_ > 0 ? rate_ : pace_;
  if (pace_ > 0) l.burst = std::min<std::int64_t>(burst_, options_.max_burst);
  if (period_ > duration{0}) l.period = period_;
  return l;
}

std::optional<double> adaptive_rate_machine::pace() const {
  if (pace_ == 0) return std::nullopt;
  return pace_;
}

}  // namespace dspu::core
