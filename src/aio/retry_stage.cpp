#include "dspu/aio/detail/retry_stage.hpp"

namespace dspu::aio::detail {

entry retry_session::start(run& r) {
  machine_ = core::retry_machine(rules_->plan);
  outer_attempt_ = r.context.attempt;
  begin_attempt(r);
  return entry::go;
}

void retry_session::begin_attempt(run& r) {
  r.context.attempt = machine_.attempt();
  ++r.context.retries_around;
}

void retry_session::end_attempt(run& r) {
  r.context.attempt = outer_attempt_;
  --r.context.retries_around;
}

next retry_session::decide(run& r, std::size_t level, ending e, core::instant now) {
  end_attempt(r);
  if (r.cut_from_outside(level)) return next::up;
  failed_attempt_ = machine_.attempt();
  const auto decision = rules_->decide(machine_, e.view());
  if (!decision.again) return next::up;
  r.context.last_error = e.error();
  if (const auto left = r.context.remaining(now); decision.delay >= left) {
    e.fail(std::make_exception_ptr(deadline_error(decision.delay, left, r.context.last_error)));
    return next::up;
  }
  delay_ = decision.delay;
  return next::again;
}

}  // namespace dspu::aio::detail
