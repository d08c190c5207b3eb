#include "dspu/origin_health.hpp"

#include "dspu/format.hpp"

namespace dspu::app {

using namespace std::chrono_literals;

// Of an origin that has had no other answer: longer than a window of a minute.
constexpr core::duration patience_with_503 = 90s;

bool origin_health::is_for_load(load_refusal refusal, core::duration gap, core::instant now) {
  switch (refusal) {
    case load_refusal::none:
      return false;
    case load_refusal::sure:
      return true;
    case load_refusal::unsure:
      break;
  }
  const core::duration within = std::max<core::duration>(2s, gap < 1h ? 4 * gap : 4h);
  if (!first_refusal_) first_refusal_ = now;
  return now - last_success_.value_or(*first_refusal_) <= within;
}

void origin_health::on_success(core::instant now) {
  last_success_ = now;
  refused_since_.reset();
  longest_wait_asked_ = {};
}

void origin_health::on_refusal(load_refusal refusal, core::duration asked, const std::string& text, core::instant now) {
  if (!refused_since_) refused_since_ = now;
  if (refusal == load_refusal::sure) surely_for_load_ = true;
  longest_wait_asked_ = std::max(longest_wait_asked_, asked);
  last_failure_ = {outcome::http_error, text};
}

void origin_health::on_failure(outcome how, const std::string& text) { last_failure_ = {how, text}; }

void origin_health::on_open(std::int64_t openings, core::instant now) {
  if (!parked_since_) parked_since_ = now;
  tried_in_vain_ = !last_success_ && openings >= limits_.tries;
}

core::instant origin_health::parked_until() const {
  return parked_since_ ? core::add_saturating(*parked_since_, limits_.deadline) : core::instant::max();
}

core::instant origin_health::refused_until() const {
  if (!refused_since_) return core::instant::max();
  const bool may_be_ill = !last_success_ && !surely_for_load_;
  const core::duration patience = may_be_ill ? std::min(limits_.deadline, patience_with_503) : limits_.deadline;
  return core::add_saturating(core::add_saturating(*refused_since_, longest_wait_asked_), patience);
}

std::optional<hopeless_origin> origin_health::hopeless(core::instant now) const {
  if (parked_since_ && tried_in_vain_)
    return hopeless_origin{last_failure_.why, "given up: its origin has not answered well once; the last failure: " +
                                                  last_failure_.text};
  if (now >= parked_until())
    return hopeless_origin{outcome::circuit_open, "the origin's breaker has not closed for " +
                                                      format_duration(limits_.deadline) +
                                                      "; the last failure: " + last_failure_.text};
  if (now >= refused_until())
    return hopeless_origin{last_failure_.why, "the origin has admitted nothing for " +
                                                  format_duration(now - *refused_since_) +
                                                  "; the last answer: " + last_failure_.text};
  return std::nullopt;
}

}  // namespace dspu::app
