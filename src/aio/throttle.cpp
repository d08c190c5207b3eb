#include "dspu/aio/throttle.hpp"

#include "dspu/aio/detail/in_words.hpp"
#include "dspu/aio/detail/judging.hpp"
#include "dspu/aio/detail/thread_random.hpp"

namespace dspu::aio::detail {

namespace {

core::throttle_options machine_options(const throttle_options& o) {
  return {.k = o.k, .window = o.window, .max_rejection = o.max_rejection, .min_requests = o.min_requests};
}

throttle_options with_defaults(throttle_options o) {
  if (!o.random) o.random = thread_random;
  return o;
}

}  // namespace

throttle_state::throttle_state(throttle_options options)
    : options_(with_defaults(std::move(options))), shadow_(options_.shadow), machine_(machine_options(options_)) {}

std::optional<double> throttle_state::refuses(core::instant now) {
  const std::lock_guard lock(mutex_);
  const double p = machine_.rejection_probability(now);
  if (machine_.admit(options_.random(), now)) return std::nullopt;
  return p;
}

void throttle_state::record(verdict v, core::instant now) {
  if (v == verdict::ignored) return;
  const std::lock_guard lock(mutex_);
  machine_.record(v == verdict::success, now);
}

double throttle_state::probability(core::instant now) {
  const std::lock_guard lock(mutex_);
  return machine_.rejection_probability(now);
}

void throttle_state::reconfigure(const throttle_options& options) {
  {
    const std::lock_guard lock(mutex_);
    machine_.reconfigure(machine_options(options));
  }
  shadow_ = options.shadow;
  revision_.fetch_add(1, std::memory_order_relaxed);
}

throttle_options throttle_state::options() const {
  throttle_options o = options_;
  o.shadow = shadow_;
  const std::lock_guard lock(mutex_);
  const auto& now = machine_.options();
  o.k = now.k;
  o.window = now.window;
  o.max_rejection = now.max_rejection;
  o.min_requests = now.min_requests;
  return o;
}

bool throttle_state::is_fresh(core::instant now) {
  const std::lock_guard lock(mutex_);
  return machine_.is_fresh(now);
}

stage_facts throttle_state::facts() const {
  const auto o = options();
  return judging({.policy = "throttle",
                  .text = "k " + in_words(o.k) + " over " + in_words(o.window) + ", at most " +
                          in_words(100 * o.max_rejection) + " % refused",
                  .refuses_without_hint = !o.shadow,
                  .state = this},
                 options_.classify);
}

entry throttle_session::enter(run& r, std::size_t) {
  starts_ = r.starts();
  const auto p = state_->refuses(r.context.clock());
  if (!p) return entry::go;
  const bool shadow = state_->shadow();
  r.tell(shadow ? event_kind::shadowed : event_kind::refused, "throttle", "probability", {{"probability", *p}});
  return shadow ? entry::go : r.refuse(throttled_error(*p));
}

next throttle_session::leave(run& r, std::size_t level, ending e) {
  const auto v = r.judged(level, starts_, e.view(), [this](const outcome& o) {
    const auto& classify = state_->classify();
    return classify ? classify(o) : default_verdict(o);
  });
  state_->record(v, r.context.clock());
  return next::up;
}

}  // namespace dspu::aio::detail
