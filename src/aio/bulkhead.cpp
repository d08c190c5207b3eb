#include "dspu/aio/bulkhead.hpp"

namespace dspu::aio {

namespace {

core::bulkhead_options machine_options(const bulkhead_options& o) {
  return {.limit = o.limit, .max_queue = o.max_queue};
}

}  // namespace

namespace detail {

bulkhead_base::bulkhead_base(const bulkhead_options& options, const timekeeper& time)
    : places_(std::make_shared<places>(machine_options(options), time)), shadow_(options.shadow) {}

void bulkhead_base::reconfigure(const bulkhead_options& options) {
  places_->reconfigure(machine_options(options), options.shadow);
  shadow_ = options.shadow;
  revision_.fetch_add(1, std::memory_order_relaxed);
}

bulkhead_options bulkhead_base::options() const {
  const auto now = places_->snapshot();
  return {.limit = now.limit(), .max_queue = now.max_queue(), .shadow = shadow_};
}

stage_facts bulkhead_stage::facts() const {
  const auto now = bulkhead_->places_->snapshot();
  return {.policy = "bulkhead",
          .text = std::to_string(now.limit()) + " at once, " + std::to_string(now.max_queue()) + " waiting",
          .refuses_without_hint = !bulkhead_->shadow_,
          .state = bulkhead_,
          .holds_places = true};
}

entry bulkhead_stage::session::enter(run& r, std::size_t) {
  held_ = bulkhead_->places_->try_enter();
  if (held_) return entry::go;
  if (!bulkhead_->shadow_) return entry::wait;
  bulkhead_->over_limit_.fetch_add(1, std::memory_order_relaxed);
  r.tell(event_kind::shadowed, "bulkhead", "full", {{"limit", static_cast<double>(bulkhead_->limit())}});
  return entry::go;
}

awaitable<void> bulkhead_stage::session::wait_in_line(const run& r) {
  const auto began = r.observed() ? r.context.clock() : core::instant{};
  auto waiting = places::wait_for_place(bulkhead_->places_);
  try {
    co_await std::move(waiting);
  } catch (const bulkhead_full_error& e) {
    r.tell(event_kind::refused, "bulkhead", "full",
           {{"limit", static_cast<double>(e.limit())}, {"waiting", static_cast<double>(e.waiting())}});
    throw;
  }
  held_ = true;
  if (!r.observed()) co_return;
  const auto now = bulkhead_->places_->snapshot();
  r.tell(event_kind::waited, "bulkhead", "full",
         {{"seconds", in_seconds(r.context.clock() - began)},
          {"limit", static_cast<double>(now.limit())},
          {"waiting", static_cast<double>(now.waiting())}});
}

}  // namespace detail

}  // namespace dspu::aio
