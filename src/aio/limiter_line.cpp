// Who waits, who is next, when, and who waits in vain. All of it needs the lock.
#include "limiter_session.hpp"

#include <algorithm>

namespace dspu::aio::detail {

namespace {

std::optional<wait_refusal> too_late(core::instant ready, core::instant deadline, core::instant now) {
  if (ready <= deadline) return std::nullopt;
  const auto needed = ready == core::instant::max() ? duration::max() : ready - now;
  return wait_refusal{needed, std::max(deadline, now) - now};
}

}  // namespace

void limiter_state::comes(const waiter& w) {
  const int line = w.request().line;
  if (empty()) {
    turns_ = {};
    mixed_ = false;
  } else if (empty(line)) {
    turns_.join(line);
    mixed_ = true;
  }
  ahead_ += buckets_.amount_of(w.amount());
  if (!w.request().bounded()) return;
  ++bounded_;
  first_deadline_ = std::min(first_deadline_, w.request().deadline);
}

void limiter_state::went(const waiter& w) {
  ahead_ -= buckets_.amount_of(w.amount());
  if (&w == planned_ || (armed_in_ != nullptr && armed_in_->deserted())) planned_ = nullptr;
  if (w.request().bounded() && --bounded_ == 0) first_deadline_ = instant::max();
}

void limiter_state::left() {
  if (planned_ == nullptr) plan(instant::min());
}

void limiter_state::came_back(std::size_t, waiter_list& going) {
  if (shadow) let_all_go(now(), going);
  at_risk_ = at_risk_ || bounded_ > 0;
  plan(instant::min());
}

void limiter_state::take_back(const waiter& w, waiter_list&) {
  buckets_.give_back(w.amount());
  if (mixed_) turns_.give_back(w.request().line, w.amount());
  granted_.fetch_sub(1, std::memory_order_relaxed);
  planned_ = nullptr;
}

core::instant limiter_state::look_by() const { return core::add_saturating(wake_at_, patience()); }

waiter* limiter_state::next() {
  if (empty()) return nullptr;
  unsigned waiting = 0;
  for (int line = 0; line < lines; ++line) waiting |= static_cast<unsigned>(!empty(line)) << line;
  return &front(turns_.next(waiting));
}

core::token_buckets::amount limiter_state::ahead_of(const wait_request& newcomer) {
  bool alone = true;
  for (int line = 0; line < lines; ++line) alone = alone && (line == newcomer.line || empty(line));
  if (alone) return ahead_;
  core::token_buckets::amount ahead;
  visit_in_order(&newcomer, [&](const waiter* w, const wait_request& r) {
    if (w != nullptr) ahead += buckets_.amount_of(r.amount);
    return seen::served;
  });
  return ahead;
}

std::optional<wait_refusal> limiter_state::would_exceed(const wait_request& request, instant now) {
  if (!request.bounded()) return std::nullopt;
  auto total = ahead_of(request);
  total += buckets_.amount_of(request.amount);
  return too_late(std::max(buckets_.ready_at(total), now), request.deadline, now);
}

// Requires: the line has room.
void limiter_state::enter(waiter& w) {
  push_back(w);
  ++waited_;
  at_risk_ = at_risk_ || (mixed_ && bounded_ > 0);
  if (const waiter* const first = first_to_wake(); first != planned_) plan(instant::min());
}

// Those at the head of the line who only hold a place: their tokens are taken as of when they came due.
void limiter_state::grant_reserved(instant now) {
  for (waiter* w = next(); w != nullptr && w->passive() && buckets_.take_since(w->amount(), looked_, now);
       w = next()) {
    static_cast<reserved_place&>(*w).granted_at = now;
    serve(*w);
    remove(*w);
  }
  looked_ = std::max(looked_, now);
}

// All who are due, in order.
void limiter_state::grant_due(instant now, waiter_list& due, const asio::execution_context* here) {
  for (waiter* w = next(); w != nullptr; w = next()) {
    const bool taken = w->passive() ? buckets_.take_since(w->amount(), looked_, now)
                                    : buckets_.take_queued(w->amount(), now);
    if (!taken) break;
    if (w->passive()) static_cast<reserved_place&>(*w).granted_at = now;
    serve(*w);
    grant_into(due, *w, here);
  }
  looked_ = std::max(looked_, now);
}

// In shadow mode nobody waits: those who did go now, on credit.
void limiter_state::let_all_go(instant now, waiter_list& due) {
  for (waiter* w = next(); w != nullptr; w = next()) {
    if (w->amount() <= buckets_.capacity()) buckets_.take_ahead(w->amount(), now);
    if (w->passive()) static_cast<reserved_place&>(*w).granted_at = now;
    serve(*w);
    grant_into(due, *w);
  }
}

// Its tokens are taken.
void limiter_state::serve(const waiter& w) {
  if (mixed_) turns_.serve(w.request().line, w.amount());
  granted_.fetch_add(1, std::memory_order_relaxed);
}

// The first of those in line that has somebody to wake.
waiter* limiter_state::first_to_wake() {
  waiter* first = next();
  if (first == nullptr || !first->passive()) return first;
  first = nullptr;
  visit_in_order(nullptr, [&](waiter* w, const wait_request&) {
    if (!w->passive()) first = w;
    return first != nullptr ? seen::enough : seen::served;
  });
  return first;
}

// Arms the one timer for who is to be woken next, in that waiter's context if it has come for whatever it was called for;
// drops it when there is nobody.
void limiter_state::plan(instant earliest) {
  ++plan_;
  planned_ = nullptr;
  core::token_buckets::amount total;
  visit_in_order(nullptr, [&](const waiter* w, const wait_request& r) {
    total += buckets_.amount_of(r.amount);
    if (!w->passive()) planned_ = w;
    return planned_ != nullptr ? seen::enough : seen::served;
  });
  if (planned_ == nullptr) {
    wake_at(instant::max());
    armed_in_ = nullptr;
    return disarm();
  }
  planned_at_ = std::max(buckets_.ready_at(total), looked_);
  const auto look_at = at_risk_ ? std::min(planned_at_, first_deadline_) : planned_at_;
  wake_at(std::max(look_at, earliest));
  armed_in_ = &waker_for(*planned_);
  arm(armed_in_->base(), wake_at_, plan_);
}

// All plans have changed: those that do not fit any more are refused, which lets those behind them move up.
void limiter_state::refuse_hopeless(instant now, refusals& refused) {
  core::token_buckets::amount total;
  auto first_deadline = instant::max();
  visit_in_order(nullptr, [&](waiter* w, const wait_request& r) {
    auto with = total;
    with += buckets_.amount_of(r.amount);
    const bool too_large = r.amount > buckets_.capacity();
    const auto no = too_late(std::max(buckets_.ready_at(with), now), r.deadline, now);
    if (!too_large && !no) {
      total = with;
      first_deadline = std::min(first_deadline, r.deadline);
      return seen::served;
    }
    if (no && r.refusal != nullptr) *r.refusal = *no;
    refused_.fetch_add(1, std::memory_order_relaxed);
    remove_into(too_large ? refused.too_large : refused.late, *w);
    return seen::refused;
  });
  first_deadline_ = first_deadline;
  at_risk_ = false;
}

core::instant limiter_state::when(reserved_place& place) {
  if (place.granted_at) return *place.granted_at;
  if (!queued(place)) return instant::max();
  core::token_buckets::amount total;
  visit_in_order(nullptr, [&](const waiter* w, const wait_request& r) {
    total += buckets_.amount_of(r.amount);
    return w == &place ? seen::enough : seen::served;
  });
  return buckets_.ready_at(total);
}

}  // namespace dspu::aio::detail
