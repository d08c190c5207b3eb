#include "dspu/aio/adaptive_rate.hpp"

#include "dspu/aio/detail/in_words.hpp"
#include "dspu/aio/detail/judging.hpp"
#include "dspu/aio/impl/adaptive_rate.ipp"

#include <string>

namespace dspu::aio {

verdict load_verdict(const outcome& o) {
  if (!o.failed()) return verdict::success;
  if (o.code() == errc::would_exceed_deadline) return verdict::ignored;  // a policy gave up; the server said nothing
  if (retry_after_of(o) || o.code() == std::errc::resource_unavailable_try_again ||
      o.code() == std::errc::device_or_resource_busy) {
    return verdict::failure;
  }
  const bool of_the_system = o.code().category() == boost::system::system_category() ||
                             o.code().category() == boost::system::generic_category();
  const bool tells = !o.code() || (!of_the_system && o.code() != std::errc::timed_out);
  return tells ? verdict::success : verdict::ignored;
}

namespace detail {

template std::shared_ptr<adaptive_rate_state> make_adaptive_rate_state<std::chrono::steady_clock>(
    adaptive_rate_options);

stage_facts adaptive_rate_state::facts() const {
  const auto o = options();
  const std::string begin = o.initial_rate ? "from " + in_words(*o.initial_rate) + "/s" : "no limit at first";
  const std::string most = o.max_rate < 1e9 ? ", at most " + in_words(o.max_rate) + "/s" : "";
  return judging({.policy = "adaptive_rate",
                  .text = begin + most,
                  .refuses_without_hint = !o.shadow && o.max_queue != std::numeric_limits<std::size_t>::max(),
                  .state = this},
                 o.classify ? o.classify : load_verdict);
}

adaptive_rate_session::~adaptive_rate_session() {
  if (!call_) return;
  auto& state = **state_;
  if (run_->starts() == starts_) {
    state.give_back(*call_, state.now());
  } else {
    state.settle(*call_, verdict::ignored, {}, state.now());
  }
}

entry adaptive_rate_session::enter(run& r, std::size_t) {
  run_ = &r;
  starts_ = r.starts();
  auto& state = **state_;
  const auto now = r.context.clock();
  if (state.shadow()) {
    duration wait{0};
    call_ = state.enter_in_shadow(now, wait);
    if (wait > duration{0})
      r.tell(event_kind::shadowed, "adaptive_rate", "pace", {{"seconds", in_seconds(wait)}});
    return entry::go;
  }
  call_ = state.try_enter(now);
  return call_ ? entry::go : entry::wait;
}

awaitable<void> adaptive_rate_session::wait_in_queue(run& r) {
  const auto came = r.observed() ? r.context.clock() : core::instant{};
  auto waiting = adaptive_rate_state::wait_for_turn(*state_, r.context.deadline);
  std::exception_ptr late;
  try {
    call_ = co_await std::move(waiting);
  } catch (const deadline_error& e) {
    late = std::make_exception_ptr(deadline_error(e.needed(), e.remaining(), r.context.last_error));
    r.tell(event_kind::refused, "adaptive_rate", "deadline",
           {{"needed", in_seconds(e.needed())}, {"remaining", in_seconds(e.remaining())}}, late);
  } catch (const queue_full_error& e) {
    r.tell(event_kind::refused, "adaptive_rate", "queue_full", {{"limit", static_cast<double>(e.limit())}});
    throw;
  }
  if (late) std::rethrow_exception(late);
  if (!r.observed()) co_return;
  const auto now = r.context.clock();
  const auto s = (*state_)->statistics(now);
  r.tell(event_kind::waited, "adaptive_rate", "pace",
         {{"seconds", in_seconds(now - came)},
          {"rate", s.pace.value_or(0)},
          {"waiting", static_cast<double>(s.waiting)}});
}

void adaptive_rate_session::settle(const run& r, verdict v, const limit_facts& facts) {
  const auto call = *std::exchange(call_, std::nullopt);
  const auto change = (*state_)->settle(call, v, facts, r.context.clock());
  if (!change || !r.observed()) return;
  r.tell(event_kind::limit_changed, "adaptive_rate", v == verdict::failure ? "refused" : "admitted",
         {{"rate", change->rate},
          {"burst", static_cast<double>(change->learnt.burst.value_or(0))},
          {"concurrency", static_cast<double>(change->learnt.concurrency.value_or(0))},
          {"in_flight", static_cast<double>(change->in_flight)},
          {"hold", in_seconds(change->hold)}});
}

void adaptive_rate_session::succeed(run& r) { settle(r, verdict::success, {}); }

next adaptive_rate_session::leave(run& r, std::size_t level, ending e) {
  if (!call_) return next::up;
  if (r.starts() == starts_) {
    (*state_)->give_back(*std::exchange(call_, std::nullopt), r.context.clock());
    return next::up;
  }
  limit_facts facts;
  const auto v = r.judged(level, starts_, e.view(), [&](const outcome& o) { return (*state_)->judge(o, facts); });
  settle(r, v, facts);
  return next::up;
}

}  // namespace detail

}  // namespace dspu::aio
