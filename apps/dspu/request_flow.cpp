#include "dspu/request_flow.hpp"

#include "dspu/failure.hpp"
#include "dspu/redirect.hpp"
#include "dspu/retry_after.hpp"

#include <algorithm>
#include <stdexcept>

namespace dspu::app {

namespace {

std::string describe(outcome how, const job& job) {
  std::string last = job.attempts.empty() ? "" : job.attempts.back().error;
  const std::string after = last.empty() ? "" : "; last error: " + last;
  switch (how) {
    case outcome::circuit_open:
      return "the origin's breaker stayed open until the deadline" + after;
    case outcome::deadline:
      return "no success before the deadline" + after;
    case outcome::retry_after_too_long:
      return "the origin asks for a longer wait than --retry-after-max";
    case outcome::cancelled:
      return "the run was stopped";
    default:
      return last;
  }
}

// Whether more of its body is there than ever before, and the rest can be asked for.
bool came_further(const attempt& a) {
  return a.body != nullptr && a.body->can_continue() && a.body->stored() > a.job->furthest;
}

std::string refused_retry(const std::string& error) {
  constexpr std::string_view why = "not retried: the retry budget of its origin is spent (--retry-budget)";
  return error.empty() ? std::string(why) : error + "; " + std::string(why);
}

}  // namespace

request_flow::request_flow(flow_options options, core::instant now, flow_observer& told)
    : options_(std::move(options)),
      feed_(told, options_.observer),
      scheduler_(options_.scheduling, now, feed_),
      bodies_(options_.bodies),
      random_(options_.seed) {}

void request_flow::accept(input_item item, core::instant now) {
  ++counts_.read;
  if (item.problem.empty()) claim_file(item);
  if (!item.problem.empty()) {
    reject(item);
    return;
  }
  auto made = std::make_unique<job>(std::move(item), options_.plan, now);
  weight_ += made->weight;
  scheduler_.add(std::move(made), now);
}

void request_flow::claim_file(input_item& item) {
  try {
    bodies_.claim({item.id, item.n, item.request.url});
  } catch (const std::invalid_argument& error) {
    item.problem = item.request.url + ": " + error.what();
  }
}

std::optional<attempt> request_flow::next(core::instant now) {
  if (stopped_) return std::nullopt;
  while (auto refused = scheduler_.next_refusal(now)) refuse(*std::move(refused), now);
  auto dispatched = scheduler_.next(now);
  for (; dispatched && dispatched->hedge != nullptr; dispatched = scheduler_.next(now))
    dispatched->hedge->go();
  if (!dispatched) return std::nullopt;
  job& sent = *dispatched->job;
  if (!sent.started_at) sent.started_at = now;
  if (sent.deadline == core::instant::max())
    sent.deadline = core::add_saturating(now, options_.scheduling.deadline);
  attempt_record record;
  record.start = now - sent.read_at;
  record.wait = dispatched->wait;
  record.why = dispatched->why;
  sent.attempts.push_back(std::move(record));
  feed_.waited(scheduler_.origin_of(dispatched->permit), sent, dispatched->wait, dispatched->why, now);
  const core::duration answer_within =
      sent.deadline == core::instant::max() ? core::duration::max() : sent.deadline - now;
  return attempt{std::move(dispatched->job), dispatched->permit, now, answer_within};
}

std::unique_ptr<kept_body> request_flow::open_body(const attempt& a, std::int64_t hedge) const {
  if (a.job->begun_body) return std::move(a.job->begun_body);
  const http_request& asked = a.job->original();
  // With hedges, several exchanges would be at one file.
  const bool continuable = !options_.hedge && asked.method == "GET" && asked.body.empty() &&
                           find_header(asked.headers, "Range").empty();
  return bodies_.open({a.job->id, a.job->n, asked.url}, {.hedge = hedge, .continuable = continuable});
}

bool request_flow::may_hedge(const attempt& a) const {
  return options_.hedge.has_value() && is_idempotent(a.job->request.method);
}

bool request_flow::ask(hedge_ask& hedge, const attempt& beside, core::instant now) {
  return !stopped_ && scheduler_.ask(hedge, beside.permit, now);
}

void request_flow::take_back(hedge_ask& hedge, const attempt& beside, core::instant now) {
  if (hedge.now == hedge_ask::stage::going) ++beside.job->attempts.back().hedges;
  scheduler_.take_back(hedge, beside.permit, now);
}

aio::call_context request_flow::context_of(const attempt& a, std::optional<watched_attempt>& told) const {
  return feed_.context_of(scheduler_.origin_of(a.permit), *a.job, told);
}

void request_flow::landed(attempt a, attempt_result result, core::instant now) {
  record_attempt(a, result, now);
  if (result.failure == transport_failure::sink) throw io_error(result.error);
  read_limits(result);
  const auto wish = wish_of(result);
  // The hold first: settling may make the origin's next request ready.
  if (wish > core::duration::zero()) scheduler_.hold(a.permit, *wish, now);
  attempt_end end = end_of(result, wish);
  // A server that breaks bodies off and gives more of them each time is no server that is down.
  if (result.failure && came_further(a)) end.verdict = core::verdict::ignored;
  const settlement settled = scheduler_.settle(a.permit, end, now);
  if (follow_redirect(a, result, now) || begin_anew(a, result, now)) return;
  if (settled.refused_for_load && wait_for_pace(a, result, settled, wish, now)) return;
  retry_or_finish(std::move(a), result, wish, now);
}

void request_flow::cancelled(attempt a, core::instant now) {
  a.job->attempts.back().duration = now - a.started;
  a.job->attempts.back().error = "cancelled";
  scheduler_.settle(a.permit, {}, now);
  abandon(std::move(a.job), now);
}

void request_flow::stop(core::instant now) {
  stopped_ = true;
  while (job_ptr waiting = scheduler_.drop_any()) abandon(std::move(waiting), now);
}

void request_flow::record_attempt(const attempt& a, const attempt_result& result, core::instant now) const {
  attempt_record& record = a.job->attempts.back();
  record.duration = now - a.started;
  record.hedge_won = a.answered_by > 0;
  record.status = result.status();
  if (record.status != 0) {
    a.job->status = record.status;
    a.job->headers = recorded(result.response.headers, options_.include_headers);
  }
  a.job->bytes = result.failure ? result.reached.bytes : 0;
  if (result.failure) record.error = std::string(to_string(*result.failure)) + ": " + result.error;
}

void request_flow::read_limits(attempt_result& result) const {
  if (!result.answered()) return;
  result.retry_after = retry_after(result.response.headers, options_.wall_clock());
  result.quota = rate_quota_of(result.response.headers, options_.wall_clock());
}

// How long the answer asks us to stay away from its origin.
std::optional<core::duration> request_flow::wish_of(const attempt_result& result) const {
  return may_hold_origin(options_.retry, result) ? wait_asked_by(result) : std::nullopt;
}

attempt_end request_flow::end_of(const attempt_result& result, std::optional<core::duration> wish) const {
  attempt_end end{.verdict = origin_verdict(result),
                  .load = load_sign_of(result),
                  .refusal = refusal_of(result),
                  .answered = result.answered(),
                  .facts = limit_facts_of(result),
                  .asked = std::min(wish.value_or(core::duration::zero()), options_.scheduling.retry_after_max)};
  // What is renewed too late is not waited for: the next refusal will say so.
  if (end.facts.reset > options_.scheduling.retry_after_max) end.facts.reset.reset();
  if (end.verdict == core::verdict::success) return end;
  end.how = final_outcome(result);
  end.what_failed = result.failure ? std::string(to_string(*result.failure)) + ": " + result.error
                                   : "status " + std::to_string(result.response.status);
  return end;
}

// What came is not the rest of the body that had begun: the whole of it is asked for.
bool request_flow::begin_anew(attempt& a, const attempt_result& result, core::instant now) {
  if (result.failure != transport_failure::wrong_part) return false;
  if (a.body) a.body->discard();
  a.job->is_retry = false;
  queue_again(std::move(a.job), now, now);
  return true;
}

// A body that came further than any before is worth as many attempts, and as much time, as a new request.
void request_flow::keep_beginning(attempt& a, core::instant now) {
  if (!a.body || !a.body->can_continue()) return;
  if (came_further(a)) {
    a.job->furthest = a.body->stored();
    a.job->retry = core::retry_machine(options_.plan);
    a.job->deadline = core::add_saturating(now, options_.scheduling.deadline);
  }
  a.job->begun_body = std::move(a.body);
}

bool request_flow::follow_redirect(attempt& a, const attempt_result& result, core::instant now) {
  if (options_.max_redirects == 0 || !result.answered()) return false;
  const std::string_view location = find_header(result.response.headers, "Location");
  const std::string problem = redirect_problem(result.response.status, location);
  if (!problem.empty()) {
    finish(std::move(a.job), outcome::http_error, problem, a.body.get(), now);
    return true;
  }
  if (!is_redirect(result.response.status)) return false;
  job& job = *a.job;
  if (job.redirects++ == options_.max_redirects) {
    const std::string error =
        "more than " + std::to_string(options_.max_redirects) + " redirects (--max-redirects)";
    finish(std::move(a.job), outcome::http_error, error, a.body.get(), now);
    return true;
  }
  try {
    job.redirect_to(redirected(job.request, result.response.status, location, options_.origin_only));
  } catch (const std::invalid_argument& error) {
    finish(std::move(a.job), outcome::http_error, error.what(), a.body.get(), now);
    return true;
  }
  job.is_retry = false;
  if (a.body && a.body->can_continue()) job.begun_body = std::move(a.body);
  queue_again(std::move(a.job), now, now);
  return true;
}

// A request that was refused for load was not carried out: it goes again at the pace that its origin takes, as if it had
// not been sent, and keeps its attempts. Not for ever: others must not be admitted too often in its place. An origin that
// admits nobody is origin_health's affair.
bool request_flow::wait_for_pace(attempt& a, const attempt_result& result, const settlement& settled,
                                 std::optional<core::duration> wish, core::instant now) {
  constexpr std::uint32_t most_refusals = 10;
  const bool too_long = wish > options_.scheduling.retry_after_max;
  const bool may = options_.scheduling.origin.pace && options_.plan.max_attempts > 1 && !too_long &&
                   may_retry(options_.retry, a.job->request, result);
  job& job = *a.job;
  const bool passed_over = job.refusals == 0 || settled.admitted != job.admitted_at_refusal;
  if (!may || (passed_over && job.refusals == most_refusals)) return false;
  if (passed_over) ++job.refusals;
  job.admitted_at_refusal = settled.admitted;
  job.deadline = core::instant::max();
  job.is_retry = true;
  ++counts_.retries;
  const core::duration backoff = options_.plan.backoff.delay(job.refusals, random_.unit(), {});
  feed_.refused_for_load(job, std::max(backoff, wish.value_or(backoff)), now);
  queue_again(std::move(a.job), core::add_saturating(now, backoff), now);
  return true;
}

void request_flow::retry_or_finish(attempt a, const attempt_result& result,
                                   std::optional<core::duration> hint, core::instant now) {
  const outcome how = final_outcome(result);
  const bool retryable = may_retry(options_.retry, a.job->request, result);
  const core::verdict verdict = retryable            ? core::verdict::failure
                                : how == outcome::ok ? core::verdict::success
                                                     : core::verdict::ignored;
  const bool has_body = a.body != nullptr && result.answered();
  if (retryable) keep_beginning(a, now);
  const core::retry_decision decision = a.job->retry.next(verdict, random_.unit(), hint);
  const bool in_time = now < a.job->deadline;
  // The job goes once its error is told: in which order a call's arguments are made is for the compiler to choose.
  const auto end = [&](outcome why, const std::string& error) {
    const std::unique_ptr<kept_body> begun = std::move(a.job->begun_body);
    kept_body* body = begun ? begun.get() : a.body.get();
    finish(std::move(a.job), why, error, has_body ? body : nullptr, now);
  };
  if (!decision.again) {
    const bool too_long = decision.reason == core::retry_reason::retry_after_too_long;
    const outcome why = too_long                      ? outcome::retry_after_too_long
                        : is_timeout(how) && !in_time ? outcome::deadline
                                                      : how;
    if (retryable) feed_.gave_up(*a.job, core::name_of(decision.reason), now);
    end(why, describe(why, *a.job));
    return;
  }
  // A Retry-After holds the whole origin; the request need not wait a second time by itself.
  const bool held = decision.reason == core::retry_reason::server_hint;
  const core::instant earliest = core::add_saturating(now, decision.delay);
  if (earliest >= a.job->deadline) {
    feed_.gave_up(*a.job, "deadline", now);
    end(outcome::deadline, describe(outcome::deadline, *a.job));
    return;
  }
  // Charged before the pause: who waits first and is refused then has waited in vain.
  if (!scheduler_.charge_retry(a.permit, *a.job, now)) {
    feed_.gave_up(*a.job, "budget_exhausted", now);
    ++counts_.retries_refused;
    a.job->retry_refused = true;
    end(how, refused_retry(describe(how, *a.job)));
    return;
  }
  ++counts_.retries;
  a.job->is_retry = true;
  feed_.retry(*a.job, decision.delay, decision.reason, now);
  queue_again(std::move(a.job), held ? now : earliest, now);
}

void request_flow::queue_again(job_ptr again, core::instant not_before, core::instant now) {
  if (stopped_) {
    abandon(std::move(again), now);
    return;
  }
  again->not_before = not_before;
  scheduler_.add(std::move(again), now);
}

void request_flow::report(const result_record& record, const http_request& request) {
  if (!muted_) feed_.result(record, request);
}

result_record request_flow::take_record(job& of, core::instant now) const {
  result_record record;
  record.n = of.n;
  record.id = std::move(of.id);
  record.url = of.asked_url();
  record.meta = std::move(of.meta);
  record.headers = std::move(of.headers);
  record.method = of.original().method;
  record.status = of.status;
  record.bytes = of.bytes;
  if (of.started_at) record.final_url = of.request.url;
  record.attempts = std::move(of.attempts);
  record.total = now - of.read_at;
  record.queued = of.started_at ? *of.started_at - of.read_at : record.total;
  record.limiter_wait = of.limiter_wait;
  record.host = of.host();
  record.finished_at = options_.wall_clock();
  return record;
}

void request_flow::finish(job_ptr job, outcome how, const std::string& error, kept_body* body,
                          core::instant now) {
  feed_.finished(*job, how, now);
  result_record record = take_record(*job, now);
  record.outcome = how;
  record.error = error;
  record.retry_refused = job->retry_refused;
  if (body != nullptr) {
    body->finish();
    record.bytes = body->bytes();
    record.content_encoding = body->content_encoding();
    record.file = body->file();
    record.body_omitted = body->omitted();
    record.body = body->take_text();
  }
  ++(how == outcome::ok ? counts_.ok : counts_.failed);
  weight_ -= job->weight;
  report(record, job->original());
}

void request_flow::refuse(refusal r, core::instant now) {
  const std::string error = r.text.empty() ? describe(r.why, *r.job) : r.text;
  feed_.refused(*r.job, r.why, now);
  finish(std::move(r.job), r.why, error, nullptr, now);
}

void request_flow::reject(const input_item& item) {
  result_record record;
  record.n = item.n;
  record.id = item.id;
  record.url = item.asked.empty() ? item.request.url : item.asked;
  record.outcome = outcome::invalid_input;
  record.error = item.problem;
  record.meta = item.meta;
  record.wrong_line = item.line;
  record.finished_at = options_.wall_clock();
  ++counts_.failed;
  report(record, item.request);
}

void request_flow::abandon(job_ptr job, core::instant now) {
  weight_ -= job->weight;
  if (!job->started_at) {
    ++counts_.unsent;
    return;
  }
  ++counts_.cancelled;
  feed_.finished(*job, outcome::cancelled, now);
  const std::string error = describe(outcome::cancelled, *job);
  result_record record = take_record(*job, now);
  record.outcome = outcome::cancelled;
  record.error = error;
  report(record, job->original());
}

}  // namespace dspu::app
