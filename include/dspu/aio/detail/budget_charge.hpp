// What a call owes to a retry budget for an attempt that is not made yet: it goes back unless the operation begins.
#pragma once

#include "dspu/aio/call_context.hpp"
#include "dspu/core/retry_budget.hpp"

#include <cstdint>
#include <utility>

namespace dspu::aio::detail {

class budget_charge {
 public:
  budget_charge() = default;
  budget_charge(const budget_charge&) = delete;
  budget_charge& operator=(const budget_charge&) = delete;
  ~budget_charge() { give_back_unless_begun(); }

  // `counter` counts the operation, and outlives this. Requires: nothing is charged.
  core::withdrawal take(retry_budget& budget, core::instant now, const start_counter& counter);
  // For an attempt that has come to have a counter of its own. Requires: `to` charges nothing.
  void hand_over(budget_charge& to, const start_counter& counter);
  // The attempt is made, or was refused by another policy: it stays charged.
  void keep() { counter_ = nullptr; }
  void give_back_unless_begun() {
    if (const auto* const counter = std::exchange(counter_, nullptr)) give_back(*counter);
  }

 private:
  void give_back(const start_counter& counter);

  const start_counter* counter_ = nullptr;  // null: nothing is charged
  retry_budget* budget_ = nullptr;
  core::instant taken_at_{};
  std::uint64_t starts_ = 0;
};

}  // namespace dspu::aio::detail
