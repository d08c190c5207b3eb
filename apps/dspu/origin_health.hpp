// Whether an origin is well, full or ill, by what its attempts came to, and whether there is hope for it.
#pragma once

#include "dspu/classify.hpp"
#include "dspu/core/circuit_state.hpp"
#include "dspu/core/duration.hpp"
#include "dspu/record.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace dspu::app {

// What the requests that wait for an origin without hope come to.
struct hopeless_origin {
  outcome why = outcome::circuit_open;
  std::string text{};
};

class origin_health {
 public:
  struct options {
    // An origin that has not answered well once gets so many tries (openings of its breaker): as many as a
    // request by itself would make. At least 1.
    std::int64_t tries = 3;
    // One that was well, or that only refuses for load, gets so long.
    core::duration deadline = core::duration::max();
  };

  explicit origin_health(const options& limits) : limits_(limits) {}

  // Whether a refusal is one for load. One that may have another cause is, while others are answered well:
  // within the last two seconds, or within the time in which `gap` lets four go. The first answers get as long.
  bool is_for_load(load_refusal refusal, core::duration gap, core::instant now);

  void on_success(core::instant now);
  // For load. `asked`: to stay away for so long.
  void on_refusal(load_refusal refusal, core::duration asked, const std::string& text, core::instant now);
  void on_failure(outcome how, const std::string& text);
  // The breaker has opened, or opened again: so often since it was closed.
  void on_open(std::int64_t openings, core::instant now);
  void on_closed() { parked_since_.reset(); }

  // Nothing that has not been sent can be expected to be answered well.
  std::optional<hopeless_origin> hopeless(core::instant now) const;
  // When hopeless() is next worth a look, if nothing happens; instant::max() if it is not.
  core::instant hopeless_at() const { return std::min(parked_until(), refused_until()); }

  // As a new one.
  bool is_fresh() const { return !parked_since_ && !refused_since_; }

 private:
  core::instant parked_until() const;
  core::instant refused_until() const;

  options limits_;
  std::optional<core::instant> first_refusal_;
  std::optional<core::instant> last_success_;
  std::optional<core::instant> parked_since_;   // since the breaker was last closed
  std::optional<core::instant> refused_since_;  // since something was last admitted
  core::duration longest_wait_asked_{};         // since then
  bool surely_for_load_ = false;                // one of its refusals was
  bool tried_in_vain_ = false;                  // as often as `tries`, and never well
  hopeless_origin last_failure_;
};

}  // namespace dspu::app
