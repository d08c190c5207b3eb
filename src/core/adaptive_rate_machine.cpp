#include "dspu/core/adaptive_rate_machine.hpp"

#include "adaptive_rate_tuning.hpp"
#include "dspu/core/check.hpp"

#include <algorithm>
#include <utility>

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
  require(o.memory > duration{0}, "adaptive_rate.memory", o.memory, "above 0 s");
  return o;
}

}  // namespace

using namespace tuning;

adaptive_rate_machine::adaptive_rate_machine(const adaptive_rate_options& options, instant now)
    : options_(checked(options)), stated_(options.max_hold), bucket_(now), up_since_(now) {
  if (!options_.initial_rate) return;
  window_.lift();
  phase_ = phase::seeking;
  set_pace(*options_.initial_rate, now);
  spacing_.start_at(now);
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
  if (pace_ > 0 && c.stage >= paced_from_) chance_.admitted(pace_);
  pace_ > 0 ? paced_admitted(c, now) : open_admitted(c, now);
}

void adaptive_rate_machine::refused(const call& c, instant now, const limit_facts& facts) {
  --in_flight_;
  last_ = now;
  --up_calls_;
  hear(c, facts, now);
  if (c.serial > last_empty_) bucket_.lost();
  cost_ = std::clamp(facts.retry_after.value_or(duration{0}), duration{0}, options_.max_hold);
  if (pace_ > 0 && c.stage >= paced_from_ && chance_.refused(pace_)) return go_on_in_spite_of_refusals(now);
  pace_ > 0 ? paced_refused(c, now) : open_refused(c, now);
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

// What is refused does not depend on the pace. It begins anew, as slowly as at first, and takes that share for chance.
void adaptive_rate_machine::go_on_in_spite_of_refusals(instant now) {
  by_chance_ = true;
  test_.expect(chance_.value());
  window_ = in_flight_window();
  phase_ = phase::open;
  pace_ = base_ = ceiling_ = rate_ = 0;
  burst_ = 0;
  spacing_.clear();
  bucket_ = bucket_estimate(now);
  last_empty_ = sent_;
  stage_admitted_ = 0;
  cut_ = ++stage_;
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
