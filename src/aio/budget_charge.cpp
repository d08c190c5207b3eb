#include "dspu/aio/detail/budget_charge.hpp"

#include "dspu/aio/retry_budget.hpp"

namespace dspu::aio::detail {

core::withdrawal budget_charge::take(retry_budget& budget, core::instant now, const start_counter& counter) {
  const auto answer = budget.withdraw(now);
  if (answer == core::withdrawal::granted) {
    counter_ = &counter;
    budget_ = &budget;
    taken_at_ = now;
    starts_ = counter.count;
  }
  return answer;
}

void budget_charge::hand_over(budget_charge& to, const start_counter& counter) {
  if (std::exchange(counter_, nullptr) == nullptr) return;
  to.counter_ = &counter;
  to.budget_ = budget_;
  to.taken_at_ = taken_at_;
  to.starts_ = counter.count;
}

void budget_charge::give_back(const start_counter& counter) {
  if (counter.count == starts_) budget_->refund(taken_at_);
}

}  // namespace dspu::aio::detail
