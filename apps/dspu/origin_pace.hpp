// The pace at which one origin takes requests, learnt from what it admits and refuses; nothing if no pace is to be learnt.
#pragma once

#include "dspu/classify.hpp"
#include "dspu/core/adaptive_rate_machine.hpp"
#include "dspu/core/duration.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dspu::app {

// What an answer says of its origin's limit, as the machine takes it.
core::limit_facts limit_facts_of(const attempt_result& result);

// What is told of an origin's pace.
struct pace_report {
  core::learnt_limit learnt{};
  std::uint64_t admitted = 0;  // requests, in the run
  std::uint64_t refused = 0;   // for load
};

// "about 50/s, burst 20; 3 refused"
std::string describe(const pace_report& of);

// An origin at which something was refused, or a limit found.
struct named_pace {
  std::string origin;
  pace_report report;
};

// Options that state what was learnt of these origins; empty if nothing was.
std::string options_that_state(const std::vector<named_pace>& learnt);

class origin_pace {
 public:
  using machine = core::adaptive_rate_machine;
  enum class sign { ignored, admitted, refused };

  origin_pace(const std::optional<core::adaptive_rate_options>& options, core::instant now) {
    if (options) machine_.emplace(*options, now);
  }

  bool learns() const { return machine_.has_value(); }
  core::instant ready_at(core::instant now) const { return machine_ ? machine_->ready_at(now) : now; }
  core::instant held_until() const { return machine_ ? machine_->held_until() : core::instant::min(); }
  // Between two requests; 0 if as many go as come.
  core::duration gap() const;

  machine::call send(core::instant now) { return machine_ ? machine_->send(now) : machine::call{}; }
  void settle(const machine::call& c, sign how, const core::limit_facts& facts, core::instant now);

  std::uint64_t admitted() const { return admitted_; }
  pace_report report() const;
  // The report, if it has changed so much since it was last news that somebody might want to know.
  std::optional<pace_report> news(core::instant now);

  // Nothing was learnt that would be missed.
  bool is_fresh() const { return !machine_ || (machine_->in_flight() == 0 && !machine_->pace() && refused_ == 0); }

 private:
  std::optional<machine> machine_;
  std::uint64_t admitted_ = 0;
  std::uint64_t refused_ = 0;
  core::learnt_limit told_{};
  core::instant told_at_ = core::instant::min();
};

}  // namespace dspu::app
