#include "dspu/run_log.hpp"

#include "dspu/format.hpp"

namespace dspu::app {

namespace {

constexpr std::uint64_t wrong_lines_shown = 10;

std::string last_attempt(const job& of) {
  const attempt_record& last = of.attempts.back();
  return last.error.empty() ? "status " + std::to_string(last.status) : last.error;
}

}  // namespace

void run_log::stopping(std::size_t out, core::duration grace) {
  std::string message = "dspu fetch: stopping; nothing is out";
  if (out > 0)
    message = "dspu fetch: stopping; " + std::to_string(out) + (out == 1 ? " request is" : " requests are") +
              " out and may take " + format_duration(grace) + " (again: at once)";
  out_.say(message);
}

void run_log::wrong_line(const std::string& problem) {
  ++wrong_lines_;
  if (wrong_lines_ <= wrong_lines_shown || verbose_) out_.say("dspu fetch: " + problem);
  if (wrong_lines_ == wrong_lines_shown && !verbose_)
    out_.say("dspu fetch: further wrong lines are only in the results");
}

void run_log::failed(const result_record& record) {
  if (!verbose_) return;
  std::string message = record.url + ": " + std::string(to_string(record.outcome));
  if (record.status != 0) message += " (status " + std::to_string(record.status) + ")";
  if (!record.error.empty()) message += ": " + record.error;
  out_.say(message);
}

void run_log::retry(const job& again, core::duration delay, core::retry_reason reason) {
  if (!verbose_) return;
  const bool held = reason == core::retry_reason::server_hint;
  out_.say(again.request.url + ": attempt " + std::to_string(again.retry.attempt()) + " in " +
           format_duration(delay) + (held ? " (Retry-After)" : " (backoff)") + " after " +
           last_attempt(again));
}

void run_log::refusal(const job& again, core::duration delay) {
  if (!verbose_) return;
  out_.say(again.request.url + ": refused with " + last_attempt(again) + "; again at its origin's pace, in " +
           format_duration(delay) + " or later");
}

void run_log::pace(std::string_view origin, const pace_report& learnt) {
  if (verbose_) out_.say(std::string(origin) + ": " + describe(learnt));
}

void run_log::hold(std::string_view origin, core::duration duration) {
  if (verbose_) out_.say(std::string(origin) + " held " + format_duration(duration) + " by Retry-After");
}

void run_log::breaker(std::string_view origin, core::circuit_transition transition,
                      core::duration open_for) {
  if (!verbose_) return;
  std::string message = std::string(origin) + ": breaker " + core::name_of(transition.to);
  if (transition.to == core::circuit_state::open)
    message += " for " + format_duration(open_for) + "; its requests are parked";
  out_.say(message);
}

}  // namespace dspu::app
