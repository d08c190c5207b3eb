// A retry's options, checked, with the defaults filled in; some of them may change while calls are under way.
#pragma once

#include "dspu/aio/detail/live.hpp"
#include "dspu/aio/retry_options.hpp"
#include "dspu/core/retry_machine.hpp"

namespace dspu::aio::detail {

// Those of the options that may change.
struct retry_numbers {
  core::retry_plan plan;
  bool shadow;
  friend bool operator==(const retry_numbers&, const retry_numbers&) = default;
};

class retry_rules {
 public:
  explicit retry_rules(retry_options options);

  // What to do after this outcome.
  core::retry_decision decide(core::retry_machine& machine, const outcome& o) const;

  // As they are now; what this refers to stays as it is.
  const retry_numbers& numbers() const { return numbers_.get(); }
  // Whether it goes by nothing of the user's while calls succeed.
  bool asks_nobody() const { return asks_nobody_; }
  // With the functions as they were given, and the defaults filled in.
  const retry_options& functions() const { return functions_; }
  retry_options options() const;
  void reconfigure(const retry_options& options);

 private:
  live<retry_numbers> numbers_;
  const retry_options functions_;
  const bool asks_nobody_;
};

}  // namespace dspu::aio::detail
