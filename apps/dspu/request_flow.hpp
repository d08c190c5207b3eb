// The life of every request: read, queued, sent, retried or redirected, finished. Decisions only; the engine
// does the waiting and the sending, and hands in the instant.
#pragma once

#include "dspu/body_store.hpp"
#include "dspu/classify.hpp"
#include "dspu/core/hedge_machine.hpp"
#include "dspu/core/random.hpp"
#include "dspu/decision_feed.hpp"
#include "dspu/job.hpp"
#include "dspu/record.hpp"
#include "dspu/recorded_headers.hpp"
#include "dspu/request_source.hpp"
#include "dspu/scheduler.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dspu::app {

struct flow_options {
  scheduler_options scheduling{};
  retry_rules retry = parse_retry_on(default_retry_on);
  core::retry_plan plan{3, core::backoff_options{}, std::chrono::minutes(5)};
  core::duration timeout = std::chrono::seconds(30);  // of an attempt in all; duration::max(): none
  std::optional<core::hedge_options> hedge = std::nullopt;
  unsigned max_redirects = 10;
  header_filter include_headers{};         // of answers, in results
  std::vector<std::string> origin_only{};  // headers that no redirect takes to another origin
  body_options bodies{};
  std::uint64_t seed = 1;  // of the jitter
  // The time of day, for result lines and for servers that send no Date.
  std::function<std::chrono::system_clock::time_point()> wall_clock = [] {
    return std::chrono::system_clock::now();
  };
  // Told of every decision; may be null.
  aio::observer* observer = nullptr;
};

// One attempt on its way.
struct attempt {
  job_ptr job;
  dspu::app::permit permit;
  core::instant started{};
  core::duration answer_within{};     // until the request's deadline
  std::unique_ptr<kept_body> body{};  // of the answer, once there is one
  std::int64_t answered_by = 0;       // which exchange: 0 is the attempt itself, others are hedges
};

struct flow_counts {
  std::uint64_t read = 0;
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;     // invalid input included
  std::uint64_t cancelled = 0;  // sent, but stopped before there was a result
  std::uint64_t unsent = 0;     // read, and stopped before they were sent
  std::uint64_t retries = 0;
  std::uint64_t retries_refused = 0;  // by the retry budget

  std::uint64_t done() const { return ok + failed; }
};

class request_flow {
 public:
  // Throws: std::invalid_argument for options out of range; io_error.
  request_flow(flow_options options, core::instant now, flow_observer& told);

  void accept(input_item item, core::instant now);

  // The attempt to make now, if one can be. If none can: again at wake_at(), or after accept or landed.
  std::optional<attempt> next(core::instant now);
  core::instant wake_at() const { return scheduler_.wake_at(); }

  // Where the body of an answer to it goes.
  std::unique_ptr<kept_body> open_body(const attempt& a, std::int64_t hedge) const;
  // Whether another exchange may go beside it: --hedge, and a method that may be carried out twice.
  bool may_hedge(const attempt& a) const;
  const core::hedge_options& hedging() const { return *options_.hedge; }
  // As scheduler::ask and take_back. A hedge that goes is noted in the attempt's record.
  bool ask(hedge_ask& hedge, const attempt& beside, core::instant now);
  void take_back(hedge_ask& hedge, const attempt& beside, core::instant now);
  std::unique_ptr<origin_extra>& extra_of(const attempt& a) { return scheduler_.extra_of(a.permit); }
  // What its pipeline is told of it; valid as long as the attempt is out, and `told` lives.
  aio::call_context context_of(const attempt& a, std::optional<watched_attempt>& told) const;

  // Each attempt ends in one of these. Throws: io_error.
  void landed(attempt a, attempt_result result, core::instant now);
  void cancelled(attempt a, core::instant now);

  // No more attempts. Requests that wait are dropped; those that have been sent before are reported as
  // cancelled.
  void stop(core::instant now);
  bool stopped() const { return stopped_; }
  // The observer is told of no more results: it has failed to keep one.
  void mute() { muted_ = true; }

  std::size_t waiting() const { return scheduler_.waiting(); }
  // Of all requests read and not finished, in bytes.
  std::size_t weight() const { return weight_; }
  const flow_counts& counts() const { return counts_; }
  origin_census census(core::instant now) const { return scheduler_.census(now); }
  std::vector<named_pace> paces() const { return scheduler_.paces(); }
  wait_totals waits(core::instant now) const { return scheduler_.totals(now); }

 private:
  // Makes an item a wrong one if its body cannot be saved.
  void claim_file(input_item& item);
  void record_attempt(const attempt& a, const attempt_result& result, core::instant now) const;
  void read_limits(attempt_result& result) const;
  bool begin_anew(attempt& a, const attempt_result& result, core::instant now);
  void keep_beginning(attempt& a, core::instant now);
  std::optional<core::duration> wish_of(const attempt_result& result) const;
  attempt_end end_of(const attempt_result& result, std::optional<core::duration> wish) const;
  bool wait_for_pace(attempt& a, const attempt_result& result, const settlement& settled,
                     std::optional<core::duration> wish, core::instant now);
  bool follow_redirect(attempt& a, const attempt_result& result, core::instant now);
  void retry_or_finish(attempt a, const attempt_result& result, std::optional<core::duration> hint,
                       core::instant now);
  void queue_again(job_ptr job, core::instant not_before, core::instant now);
  void finish(job_ptr job, outcome how, const std::string& error, kept_body* body, core::instant now);
  void refuse(refusal r, core::instant now);
  void reject(const input_item& item);
  void abandon(job_ptr job, core::instant now);
  void report(const result_record& record, const http_request& request);
  // Of a request that is over; what it moves from there is not asked for again.
  result_record take_record(job& of, core::instant now) const;

  flow_options options_;
  decision_feed feed_;
  scheduler scheduler_;
  body_store bodies_;
  core::random_source random_;
  bool stopped_ = false;
  bool muted_ = false;
  std::size_t weight_ = 0;
  flow_counts counts_;
};

}  // namespace dspu::app
