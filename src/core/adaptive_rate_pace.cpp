// The half of adaptive_rate_machine that goes by a pace: seeks it, holds it, and probes for more.
#include "adaptive_rate_tuning.hpp"
#include "dspu/core/adaptive_rate_machine.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dspu::core {

using namespace tuning;
using std::chrono::milliseconds;

void adaptive_rate_machine::set_pace(double rate, instant now) {
  pace_ = std::clamp(rate, options_.min_rate, options_.max_rate);
  const double burst = rate_ > 0 ? bucket_.depth(rate_) / 2 : 1;
  spacing_.set(pace_, std::clamp(burst, 1.0, static_cast<double>(options_.max_burst)), now);
  bucket_.turn(now);
  ++stage_;
  stage_admitted_ = 0;
  stage_began_ = std::max(now, stated_.until());
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

void adaptive_rate_machine::seek(instant now) {
  test_.reset();
  chance_.restart(std::exchange(by_chance_, false));
  window_.lift();
  phase_ = phase::seeking;
  base_ = ceiling_ = rate_ = 0;
  step_ = 1;
  falls_ = 1;
  failed_at_ = now;
  stage_length_ = cost_ > duration{0} ? std::clamp<std::int64_t>(burst_, 3, 100) : 3;
  set_pace(std::max(static_cast<double>(burst_), lowest_first_pace), now);
  spacing_.drain(std::max(now, stated_.until()));
  cut_ = paced_from_ = stage_;
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
  if (jumped_) {
    const bool window =
        stage_admitted_ > 5 + 2 * (now - stage_began_) / outage_;  // no token bucket does that
    if (!window && now - stage_began_ < outage_) return;
    jumped_ = again_ = false;
    const duration since = up_since_ - up_before_;
    if (window)
      period_ = ++windows_ <= 2 ? since : std::min(period_, since);  // the first may have begun before us
  }
  falls_ = 0;
  const double overshoot = pace_ * rtt_ * largest_step / (1 + largest_step);
  const double pause =
      std::max(std::min(shortest_pause + 0.5 * quiet_probes_, longest_pause), 25 * seconds(cost_));
  const double since = seconds(now - failed_at_);
  const bool long_ago = since >= 30 && stage_admitted_ >= 30;  // whatever it costs
  if (since < pause || (credit_ < 1 + overshoot && !long_ago)) return;
  phase_ = phase::probing;
  base_ = pace_;
  ceiling_ = 0;
  step_ = pace_ < 2 ? largest_step : period_ > duration{0} ? first_window_step : first_step;
  stage_length_ = 4;
  set_pace(pace_ * (1 + step_), now);
}

// The first call that is admitted after several that were refused, ever more slowly.
void adaptive_rate_machine::rise(instant now) {
  const bool brief =
      falls_ == 2 && period_ > duration{0} && passed_ > 0;  // the rest of a window, after a probe
  const bool outage = falls_ > 2 || (falls_ == 2 && period_ > duration{0});
  outage_ = std::max(now - failed_at_, duration{1});
  falls_ = 0;
  const double lately = static_cast<double>(up_calls_) / std::max(seconds(now - up_since_), 1e-6);
  up_before_ = std::exchange(up_since_, now);
  up_calls_ = 0;
  double before = rate_ > 0 ? std::min(rate_, lately) : lately;
  if (brief && !again_) before = 0.98 * passed_ / margin;
  again_ = jumped_;
  if (outage && before > pace_ && !(jumped_ && period_ == duration{0})) {
    jumped_ = true;
    return settle(before, now);
  }
  jumped_ = false;
  step_ = 1;
  stage_length_ = 3;
  base_ = pace_;
  if (pace_ < rate_ / 8) ceiling_ = 0;  // too far down for a ceiling to be believed
  step_up(now);
}

double adaptive_rate_machine::tolerance() const { return 1.1 + seconds(cost_) / 15; }

void adaptive_rate_machine::step_up(instant now) {
  if (++passes_ > 4 && ceiling_ > 1.3 * base_) {  // that much is no chance: the ceiling is wrong
    ceiling_ = 0;
    step_ = 0.5;
  }
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
  passes_ = 0;
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
  if (jumped_ && period_ == duration{0}) {  // the jump was too far
    ++falls_;
    narrow(seen_, now);
    cut_ = stage_;
    return;
  }
  judge(c);
  if (cost_ > duration{0}) {
    test_.reset();
    return settle(std::clamp(seen_.low, 0.9 * pace_, pace_), now);
  }
  if (!test_.refused(sent_)) {
    const auto admitted = stage_admitted_;
    const double bound = margin * seen_.high;
    set_pace(bound < 0.9 * rate_ && period_ == duration{0}
                 ? bound
                 : std::max(std::min(0.98 * pace_, bound), 0.9 * rate_),
             now);
    stage_admitted_ = admitted;
    return;
  }
  test_.reset();
  changed_ = true;
  quiet_probes_ = 0;
  base_ = passed_ = 0;
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
  if (base_ > 0) passed_ = base_;
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
  const double middle = base_ * std::pow(ceiling_ / base_, 0.5 / (1 + seconds(cost_) / 3));
  if (ceiling_ / base_ < tolerance()) return settle(middle, now);
  phase_ = phase::seeking;
  set_pace(base_ * std::pow(ceiling_ / base_, 0.3), now);
}

}  // namespace dspu::core
