// Runs the whole of a fetch: reads, sends, waits, until everything is finished or somebody says stop.
//
// request_flow decides which request goes when; the engine has the clock, one timer for everything that is
// due, and the attempts that are out, each of which is a call through a pipeline of the library
// (docs/adr/0008). It wakes for a timer, for an attempt that ended, for input that came: it never polls.
//
// Thread-safety: none; everything, stop() included, happens on the executor's one thread.
#pragma once

#include "dspu/aio/hedge.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/answer.hpp"
#include "dspu/request_flow.hpp"
#include "dspu/request_source.hpp"
#include "dspu/transport.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace dspu::app {

struct engine_options {
  flow_options flow{};
  core::duration max_time = core::duration::max();
  // Requests that are read and not finished. So many wait for an origin that is down before they keep others
  // from being read; each takes about half a kilobyte.
  std::size_t look_ahead = 20'000;
  std::size_t look_ahead_bytes = 48 * 1024 * 1024;
  // So many are enough while all places are taken, as none of them could go: requests that were read long before they
  // go are in no cache any more.
  std::size_t enough_waiting = 500;
};

template <class Clock>
class basic_engine {
 public:
  using executor_type = boost::asio::any_io_executor;

  // Throws: std::invalid_argument for options out of range; io_error.
  basic_engine(executor_type executor, const engine_options& options, request_source& source, transport& wire,
               flow_observer& told);

  // Suspends: until every request is finished, or the run is stopped and nothing is out any more.
  // Throws: io_error, when reading the input or keeping a result failed; nothing is out then either.
  // On cancel: as stop(0).
  boost::asio::awaitable<void> run();

  // Takes no more work and sends nothing new; what is out after `grace` is cancelled. Again: with the shorter
  // grace.
  void stop(core::duration grace);
  bool stopped() const { return flow_.stopped(); }
  // While it is paused nothing is sent; what is out comes to its end. For a consumer of results that is slow.
  void pause(bool paused);
  bool out_of_time() const { return out_of_time_; }

  const flow_counts& counts() const { return flow_.counts(); }
  std::size_t in_flight() const { return flights_.size(); }
  std::size_t waiting() const { return flow_.waiting(); }
  bool input_ended() const { return input_ended_; }
  origin_census census() const { return flow_.census(now()); }
  std::vector<named_pace> paces() const { return flow_.paces(); }
  wait_totals waits() const { return flow_.waits(now()); }
  // Since run() began.
  core::duration elapsed() const { return now() - started_; }

 private:
  using timer = boost::asio::basic_waitable_timer<Clock>;

  using hedge_policy = aio::basic_hedge<Clock>;
  using plain_way = decltype(aio::pipe(aio::basic_timeout<Clock>(core::duration{})));
  using hedged_way = decltype(aio::basic_timeout<Clock>(core::duration{}) | std::declval<hedge_policy&>());

  // Attempts that are out one after the other: to where one has landed the next that may go is given, so that few
  // attempts need a coroutine started for them.
  struct flight {
    explicit flight(dspu::app::attempt first) : attempt(std::move(first)) {}

    dspu::app::attempt attempt;
    std::optional<hedged_way> way;
    exchange_progress cut_at{};  // how far it had come, if the time was over
    std::unique_ptr<kept_body> cut_body;
    std::optional<watched_attempt> told;
    boost::asio::cancellation_signal cancel;
    int out = 0;  // exchanges
    typename std::list<std::shared_ptr<flight>>::iterator place;
  };
  using flight_ptr = std::shared_ptr<flight>;

  core::instant now() const { return core::instant_of(Clock::now()); }
  void arm(timer& t, core::instant when);

  boost::asio::awaitable<void> feed();
  bool full() const;
  void start_feeder();
  void start_clock();
  bool finished() const;
  void launch_all();
  void launch(dspu::app::attempt next);
  void start(dspu::app::attempt first);
  void keep_results();

  // With a percentile each origin has a hedge of its own, which goes by the latencies that it has seen.
  struct origin_hedge final : origin_extra {
    explicit origin_hedge(const core::hedge_options& options);
    hedge_policy policy;
  };
  hedge_policy& hedge_for(const flight& f);
  // A hedge that asks to go, and then goes, as long as this lives.
  class turn;

  boost::asio::awaitable<void> fly(flight_ptr f);
  boost::asio::awaitable<answer> go(const flight_ptr& f);
  template <class Way>
  boost::asio::awaitable<answer> go_by(const Way& way, const flight_ptr& f);
  // What an attempt's pipeline runs; several at once if it is hedged.
  boost::asio::awaitable<answer> exchange(flight_ptr f, std::int64_t hedge);
  boost::asio::awaitable<void> wait_for(turn& granted);
  void land(flight& f, std::exception_ptr error, answer came);
  // The attempt to make now, if one can be.
  std::optional<dspu::app::attempt> next();
  // Whether there is another attempt for it to make.
  bool follow(flight& f);
  void settle(flight& f, std::exception_ptr error, answer came);
  void cancel_flights();
  void fail(std::exception_ptr error);
  void wake() {
    wake_.cancel();
    room_.cancel();
  }

  executor_type executor_;
  engine_options options_;
  request_source& source_;
  transport& wire_;
  flow_observer& told_;
  request_flow flow_;
  const aio::basic_timeout<Clock> limit_;  // of attempts
  const plain_way usual_way_;              // under that limit
  timer wake_;                             // the loop of run() waits for it
  timer room_;                             // the feeder waits for it
  timer grace_;
  timer time_up_;
  std::list<flight_ptr> flights_;
  std::vector<flight*> landed_;  // those of them that have no attempt and will ask for one
  std::optional<origin_hedge> any_hedge_;  // without a percentile
  boost::asio::cancellation_signal stop_feeding_;
  core::instant started_{};
  bool feeding_ = false;
  bool input_ended_ = false;
  bool out_of_time_ = false;
  bool paused_ = false;
  std::exception_ptr error_;
};

using engine = basic_engine<std::chrono::steady_clock>;

extern template class basic_engine<std::chrono::steady_clock>;

}  // namespace dspu::app
