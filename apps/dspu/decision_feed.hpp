// Everything that a run decides, told twice: to the run, in its own words, and to an observer of the library,
// in the words of the library's policies. So what counts, records and replays pipelines does so for a fetch,
// too: an origin is a pipeline, a request a call.
#pragma once

#include "dspu/aio/call_context.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/observer.hpp"
#include "dspu/job.hpp"
#include "dspu/scheduler.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace dspu::app {

// Is told of everything that happens.
class flow_observer {
 public:
  virtual ~flow_observer() = default;
  // A request is finished, or was stopped after it had been sent (outcome::cancelled). Throws: io_error,
  // which ends the run.
  virtual void on_result(const result_record& record, const http_request& request) = 0;
  // A turn of the event loop is over: the results told since the last one may be kept together. Throws: io_error.
  virtual void on_turn() {}
  virtual void on_retry(const job& again, core::duration delay, core::retry_reason reason) = 0;
  // It was refused for load and waits for its origin's pace, at least so long.
  virtual void on_refusal(const job& again, core::duration delay) = 0;
  virtual void on_hold(std::string_view origin, core::duration duration) = 0;
  // `open_for`: if it opened, how long it stays so.
  virtual void on_breaker(std::string_view origin, core::circuit_transition transition,
                          core::duration open_for) = 0;
  virtual void on_pace(std::string_view origin, const pace_report& learnt) = 0;
};

// What the pipeline of an attempt knows of the request, for the observer.
struct watched_attempt {
  watched_attempt(std::string_view origin, std::uint64_t call);

  aio::detail::call_record record;
};

class decision_feed final : public scheduler::listener {
 public:
  // `watcher` may be null.
  decision_feed(flow_observer& run, aio::observer* watcher) : run_(run), watcher_(watcher) {}

  void on_hold(std::string_view origin, core::duration duration, core::instant now) override;
  void on_breaker(std::string_view origin, core::circuit_transition transition,
                  const core::breaker_statistics& after, core::instant now) override;
  void on_limit(std::string_view origin, std::size_t limit, std::size_t in_flight,
                core::instant now) override;

  void on_pace(std::string_view origin, const pace_report& learnt, core::instant now) override;

  void result(const result_record& record, const http_request& request) { run_.on_result(record, request); }
  void waited(std::string_view origin, const job& j, core::duration wait, wait_reason why,
              core::instant now) const;
  void retry(const job& again, core::duration delay, core::retry_reason reason, core::instant now) const;
  void refused_for_load(const job& again, core::duration delay, core::instant now) const;
  void gave_up(const job& j, std::string_view reason, core::instant now) const;
  void refused(const job& j, outcome why, core::instant now) const;
  void finished(const job& j, outcome how, core::instant now) const;

  // For an attempt of `j` at `origin`, whose name must live as long, as must `told`: what its pipeline tells
  // of goes to the observer.
  aio::call_context context_of(std::string_view origin, const job& j,
                               std::optional<watched_attempt>& told) const;

 private:
  struct about {
    std::string_view origin;
    std::uint64_t call = 0;
    std::int64_t attempt = 1;
    std::string_view state = {};
  };
  void tell(aio::event_kind kind, const about& what, std::string_view policy, std::string_view reason,
            core::instant now, std::initializer_list<aio::fact> facts) const;
  void tell(aio::event_kind kind, const job& j, std::string_view policy, std::string_view reason,
            core::instant now, std::initializer_list<aio::fact> facts) const;

  flow_observer& run_;
  aio::observer* watcher_;
};

}  // namespace dspu::app
