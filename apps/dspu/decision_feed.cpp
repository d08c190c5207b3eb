#include "dspu/decision_feed.hpp"

#include <chrono>
#include <exception>

namespace dspu::app {

namespace {

using aio::event_kind;

const aio::classifier as_the_answer_says = nullptr;

double seconds(core::duration d) { return std::chrono::duration<double>(d).count(); }

// The policy of the library that does the same.
struct cause {
  std::string_view policy;
  std::string_view reason;
};

cause cause_of(wait_reason why) {
  switch (why) {
    case wait_reason::concurrency:
      return {"bulkhead", "full"};
    case wait_reason::rate_limit:
      return {"rate_limiter", "tokens"};
    case wait_reason::pace:
      return {"adaptive_rate", "pace"};
    case wait_reason::retry_after:
      return {"retry_after", "held"};
    case wait_reason::circuit_open:
      return {"circuit_breaker", "open"};
    case wait_reason::backoff:  // retry_scheduled has told of it
    case wait_reason::none:
      break;
  }
  return {};
}

cause cause_of(outcome why) {
  switch (why) {
    case outcome::circuit_open:
      return {"circuit_breaker", "open"};
    case outcome::retry_after_too_long:
      return {"retry_after", "too_long"};
    default:
      return {"timeout", "deadline"};
  }
}

std::string_view word_for(outcome how) {
  switch (how) {
    case outcome::ok:
      return "success";
    case outcome::cancelled:
      return "cancelled";
    case outcome::timeout:
    case outcome::connect_timeout:
    case outcome::first_byte_timeout:
    case outcome::stalled:
    case outcome::deadline:
      return "timed_out";
    case outcome::circuit_open:
    case outcome::retry_after_too_long:
      return "refused";
    default:
      return "failure";
  }
}

}  // namespace

void decision_feed::on_hold(std::string_view origin, core::duration duration, core::instant) {
  run_.on_hold(origin, duration);
}

void decision_feed::on_breaker(std::string_view origin, core::circuit_transition transition,
                               const core::breaker_statistics& after, core::instant now) {
  run_.on_breaker(origin, transition, after.open_until ? *after.open_until - now : core::duration{0});
  tell(event_kind::state_changed, {.origin = origin, .state = core::name_of(transition.to)},
       "circuit_breaker", core::name_of(transition.cause), now,
       {{"generation", static_cast<double>(after.generation)},
        {"failure_count", static_cast<double>(after.failure_count)},
        {"success_count", static_cast<double>(after.success_count)},
        {"reopenings", static_cast<double>(after.reopenings)}});
}

void decision_feed::on_limit(std::string_view origin, std::size_t limit, std::size_t in_flight,
                             core::instant now) {
  tell(event_kind::limit_changed, {.origin = origin}, "adaptive_concurrency", "learnt", now,
       {{"limit", static_cast<double>(limit)}, {"in_flight", static_cast<double>(in_flight)}});
}

void decision_feed::on_pace(std::string_view origin, const pace_report& learnt, core::instant now) {
  run_.on_pace(origin, learnt);
  tell(event_kind::limit_changed, {.origin = origin}, "adaptive_rate", "learnt", now,
       {{"rate", learnt.learnt.rate.value_or(0)},
        {"burst", static_cast<double>(learnt.learnt.burst.value_or(0))},
        {"refused", static_cast<double>(learnt.refused)}});
}

void decision_feed::waited(std::string_view origin, const job& j, core::duration wait, wait_reason why,
                           core::instant now) const {
  const cause by = cause_of(why);
  if (by.policy.empty()) return;
  tell(event_kind::waited, {.origin = origin, .call = j.n, .attempt = j.retry.attempt()}, by.policy,
       by.reason, now, {{"seconds", seconds(wait)}});
}

void decision_feed::retry(const job& again, core::duration delay, core::retry_reason reason,
                          core::instant now) const {
  run_.on_retry(again, delay, reason);
  tell(event_kind::retry_scheduled, again, "retry", core::name_of(reason), now,
       {{"attempt", static_cast<double>(again.retry.attempt() - 1)}, {"delay", seconds(delay)}});
}

void decision_feed::refused_for_load(const job& again, core::duration delay, core::instant now) const {
  run_.on_refusal(again, delay);
  tell(event_kind::retry_scheduled, again, "adaptive_rate", "refused", now,
       {{"attempt", static_cast<double>(again.attempts.size())}, {"delay", seconds(delay)}});
}

void decision_feed::gave_up(const job& j, std::string_view reason, core::instant now) const {
  tell(event_kind::retry_gave_up, j, "retry", reason, now,
       {{"attempt", static_cast<double>(j.retry.attempt())}});
}

void decision_feed::refused(const job& j, outcome why, core::instant now) const {
  const cause by = cause_of(why);
  tell(event_kind::refused, j, by.policy, by.reason, now, {{"seconds", seconds(now - j.queued_at)}});
}

void decision_feed::finished(const job& j, outcome how, core::instant now) const {
  tell(event_kind::call_ended, j, "", word_for(how), now,
       {{"seconds", seconds(now - j.read_at)}, {"attempts", static_cast<double>(j.attempts.size())}});
}

watched_attempt::watched_attempt(std::string_view origin, std::uint64_t call)
    : record{.pipeline = origin, .judge = as_the_answer_says, .number = call} {}

aio::call_context decision_feed::context_of(std::string_view origin, const job& j,
                                            std::optional<watched_attempt>& told) const {
  aio::call_context context;
  context.deadline = j.deadline;
  context.attempt = j.retry.attempt();
  context.retries_around = 1;
  if (watcher_ == nullptr) return context;
  context.observer = watcher_;
  context.record = &told.emplace(origin, j.n).record;
  return context;
}

void decision_feed::tell(event_kind kind, const job& j, std::string_view policy, std::string_view reason,
                         core::instant now, std::initializer_list<aio::fact> facts) const {
  if (watcher_ == nullptr) return;
  tell(kind, {.origin = j.origin, .call = j.n, .attempt = j.retry.attempt()}, policy, reason, now, facts);
}

void decision_feed::tell(event_kind kind, const about& what, std::string_view policy, std::string_view reason,
                         core::instant now, std::initializer_list<aio::fact> facts) const {
  if (watcher_ == nullptr) return;
  const std::exception_ptr none;
  watcher_->on_event({.kind = kind,
                      .pipeline = what.origin,
                      .policy = policy,
                      .reason = reason,
                      .state = what.state,
                      .at = now,
                      .call = what.call,
                      .attempt = what.attempt,
                      .facts = {facts.begin(), facts.size()},
                      .error = none});
}

}  // namespace dspu::app
