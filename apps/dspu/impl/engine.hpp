// The bodies of basic_engine, for those who instantiate it.
#pragma once

#include "dspu/config/values.hpp"
#include "dspu/engine.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace dspu::app {

inline http_request with_headers(const http_request& request, header_list headers) {
  http_request more = request;
  more.headers.insert(more.headers.end(), std::make_move_iterator(headers.begin()),
                      std::make_move_iterator(headers.end()));
  return more;
}

class counted_while {
 public:
  explicit counted_while(int& count) : count_(count) { ++count_; }
  ~counted_while() { --count_; }
  counted_while(const counted_while&) = delete;
  counted_while& operator=(const counted_while&) = delete;

 private:
  int& count_;
};

template <class Clock>
basic_engine<Clock>::basic_engine(executor_type executor, const engine_options& options,
                                  request_source& source, transport& wire, flow_observer& told)
    : executor_(executor),
      options_(options),
      source_(source),
      wire_(wire),
      told_(told),
      flow_(options.flow, core::instant_of(Clock::now()), told),
      limit_(options.flow.timeout),
      usual_way_(aio::pipe(limit_)),
      wake_(executor),
      room_(executor),
      grace_(executor),
      time_up_(executor) {
  if (options.flow.hedge && !options.flow.hedge->quantile) any_hedge_.emplace(*options.flow.hedge);
}

template <class Clock>
void basic_engine<Clock>::arm(timer& t, core::instant when) {
  const core::duration since_epoch = std::max(when, now()).time_since_epoch();
  t.expires_at(typename Clock::time_point(std::chrono::duration_cast<typename Clock::duration>(since_epoch)));
}

template <class Clock>
boost::asio::awaitable<void> basic_engine<Clock>::run() {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
  started_ = now();
  start_clock();
  start_feeder();
  while (true) {
    launch_all();
    keep_results();
    if (finished()) break;
    arm(wake_, flow_.stopped() || paused_ ? core::instant::max() : flow_.wake_at());
    boost::system::error_code woken;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, woken);
    co_await wake_.async_wait(token);
    if (cancellation.cancelled() != boost::asio::cancellation_type::none && !flow_.stopped()) {
      stop(core::duration::zero());
    }
  }
  grace_.cancel();
  time_up_.cancel();
  // Lets the handlers run that were on their way already: they know this engine.
  co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  if (error_) std::rethrow_exception(error_);
}

template <class Clock>
bool basic_engine<Clock>::finished() const {
  if (feeding_ || !flights_.empty()) return false;
  return flow_.stopped() || flow_.waiting() == 0;
}

template <class Clock>
void basic_engine<Clock>::start_clock() {
  if (options_.max_time == core::duration::max()) return;
  arm(time_up_, core::add_saturating(now(), options_.max_time));
  time_up_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    out_of_time_ = true;
    stop(core::duration::zero());
  });
}

template <class Clock>
void basic_engine<Clock>::start_feeder() {
  feeding_ = true;
  auto done = [this](std::exception_ptr error) {
    feeding_ = false;
    // Being stopped is how it usually ends when somebody says stop.
    if (error && !flow_.stopped()) fail(error);
    wake();
  };
  boost::asio::co_spawn(executor_, feed(),
                        boost::asio::bind_cancellation_slot(stop_feeding_.slot(), std::move(done)));
}

template <class Clock>
bool basic_engine<Clock>::full() const {
  const bool places_taken = flights_.size() >= options_.flow.scheduling.concurrency;
  return (places_taken && flow_.waiting() >= options_.enough_waiting) ||
         flow_.waiting() + flights_.size() >= options_.look_ahead || flow_.weight() >= options_.look_ahead_bytes;
}

template <class Clock>
boost::asio::awaitable<void> basic_engine<Clock>::feed() {
  constexpr int items_between_turns = 64;
  int items = 0;
  input_item item;
  while (!flow_.stopped()) {
    if (full()) {
      wake();
      arm(room_, core::instant::max());
      boost::system::error_code woken;
      auto token = boost::asio::redirect_error(boost::asio::use_awaitable, woken);
      co_await room_.async_wait(token);
      continue;
    }
    const request_source::state found = source_.next(item);
    if (found == request_source::state::end) break;
    if (found == request_source::state::pending) {
      wake();
      co_await source_.wait();
      continue;
    }
    flow_.accept(std::move(item), now());
    if (++items % items_between_turns != 0) continue;
    wake();
    co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  }
  input_ended_ = !flow_.stopped();
}

template <class Clock>
std::optional<attempt> basic_engine<Clock>::next() {
  return paused_ ? std::nullopt : flow_.next(now());
}

template <class Clock>
void basic_engine<Clock>::launch_all() {
  try {
    while (auto attempt = next()) launch(*std::move(attempt));
  } catch (...) {
    fail(std::current_exception());
  }
}

template <class Clock>
void basic_engine<Clock>::keep_results() {
  try {
    told_.on_turn();
  } catch (...) {
    fail(std::current_exception());
  }
}

template <class Clock>
void basic_engine<Clock>::launch(dspu::app::attempt next) {
  if (landed_.empty()) return start(std::move(next));
  landed_.front()->attempt = std::move(next);
  landed_.erase(landed_.begin());
}

template <class Clock>
void basic_engine<Clock>::start(dspu::app::attempt first) {
  const auto f = std::make_shared<flight>(std::move(first));
  f->place = flights_.insert(flights_.end(), f);
  auto ended = [this, f](std::exception_ptr error) {
    flights_.erase(f->place);
    if (error) fail(error);
    wake();
  };
  boost::asio::co_spawn(executor_, fly(f),
                        boost::asio::bind_cancellation_slot(f->cancel.slot(), std::move(ended)));
}

template <class Clock>
boost::asio::awaitable<void> basic_engine<Clock>::fly(flight_ptr f) {
  do {
    std::exception_ptr error;
    answer came;
    try {
      came = co_await go(f);
    } catch (...) {
      error = std::current_exception();
    }
    // Others that have failed, too, may open a breaker; with a limit that learns, each that has landed may change it.
    const bool others_matter = error || !came.has_value() || options_.flow.scheduling.origin.adaptive;
    land(*f, error, std::move(came));
    if (flow_.stopped()) break;
    if (others_matter) {  // what has landed in this turn of the loop has its say before anything goes
      landed_.push_back(f.get());
      co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    }
  } while (follow(*f));
}

template <class Clock>
boost::asio::awaitable<answer> basic_engine<Clock>::go(const flight_ptr& f) {
  if (!flow_.may_hedge(f->attempt)) return go_by(usual_way_, f);
  return go_by(f->way.emplace(limit_ | hedge_for(*f)), f);
}

template <class Clock>
template <class Way>
boost::asio::awaitable<answer> basic_engine<Clock>::go_by(const Way& way, const flight_ptr& f) {
  return way.call_in(flow_.context_of(f->attempt, f->told),
                     [this, f](const aio::call_context& context) { return exchange(f, context.hedge); });
}

template <class Clock>
basic_engine<Clock>::origin_hedge::origin_hedge(const core::hedge_options& options)
    : policy({.max_hedges = options.max_hedges,
              .delay = options.delay,
              .quantile = options.quantile,
              .min_delay = options.min_delay,
              .classify = [](const aio::outcome& o) {
                const auto* came = o.get_if<answer>();
                return came != nullptr ? hedge_verdict(*came) : aio::default_verdict(o);
              }}) {}

template <class Clock>
auto basic_engine<Clock>::hedge_for(const flight& f) -> hedge_policy& {
  if (any_hedge_) return any_hedge_->policy;
  auto& kept = flow_.extra_of(f.attempt);
  if (!kept) kept = std::make_unique<origin_hedge>(flow_.hedging());
  return static_cast<origin_hedge&>(*kept).policy;
}

template <class Clock>
class basic_engine<Clock>::turn {
 public:
  turn(basic_engine& owner, const flight_ptr& f) : engine_(owner), flight_(f), gone_(owner.executor_) {
    owner.arm(gone_, core::instant::max());
    ask_.go = [this] { gone_.cancel(); };
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() {
    if (ask_.now == hedge_ask::stage::idle) return;
    engine_.flow_.take_back(ask_, flight_->attempt, engine_.now());
    engine_.wake();
  }

  bool ask() {
    // What went beside it has failed meanwhile: its failure is the answer.
    if (flight_->out == 0 || !engine_.flow_.ask(ask_, flight_->attempt, engine_.now())) return false;
    engine_.wake();
    return true;
  }
  bool goes() const { return ask_.now == hedge_ask::stage::going; }
  timer& gone() { return gone_; }

 private:
  basic_engine& engine_;
  flight_ptr flight_;
  timer gone_;
  hedge_ask ask_;
};

// Throws: operation_aborted, if it has lost meanwhile.
template <class Clock>
boost::asio::awaitable<void> basic_engine<Clock>::wait_for(turn& granted) {
  while (!granted.goes()) {
    boost::system::error_code woken;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, woken);
    co_await granted.gone().async_wait(token);
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != boost::asio::cancellation_type::none)
      throw boost::system::system_error(boost::asio::error::operation_aborted);
  }
}

template <class Clock>
boost::asio::awaitable<answer> basic_engine<Clock>::exchange(flight_ptr f, std::int64_t hedge) {
  answer came;
  came.hedge = hedge;
  std::optional<turn> granted;
  if (hedge > 0) {
    granted.emplace(*this, f);
    if (!granted->ask()) {
      came.sent = false;
      co_return came;
    }
    auto waiting = wait_for(*granted);
    co_await std::move(waiting);
  }
  const counted_while out(f->out);
  if (hedge == 0) {
    f->cut_at = {};
    f->cut_body = nullptr;
  }
  came.body = flow_.open_body(f->attempt, hedge);
  try {
    const http_request& request = f->attempt.job->request;
    http_request for_rest;
    const bool continues = came.body->can_continue();
    if (continues) for_rest = with_headers(request, came.body->headers_for_rest());
    came.response =
        co_await wire_.exchange(continues ? for_rest : request, *came.body, f->attempt.answer_within);
  } catch (const transport_error& error) {
    came.failure = error.kind();
    came.what_failed = error.what();
    came.reached = error.progress();
    if (!came.body->can_continue()) came.body = nullptr;
  } catch (const boost::system::system_error&) {
    f->cut_at = {.status = came.body->status(), .bytes = came.body->bytes()};
    if (came.body->can_continue()) f->cut_body = std::move(came.body);
    throw;
  }
  came.alone = f->out == 1;
  co_return came;
}

template <class Clock>
void basic_engine<Clock>::land(flight& f, std::exception_ptr error, answer came) {
  try {
    settle(f, error, std::move(came));
  } catch (...) {
    fail(std::current_exception());
  }
}

template <class Clock>
bool basic_engine<Clock>::follow(flight& f) {
  wake();
  if (f.attempt.job) return true;
  std::erase(landed_, &f);
  try {
    if (auto attempt = next()) f.attempt = *std::move(attempt);
  } catch (...) {
    fail(std::current_exception());
  }
  return f.attempt.job != nullptr;
}

template <class Clock>
void basic_engine<Clock>::settle(flight& f, std::exception_ptr error, answer came) {
  attempt_result result;
  try {
    if (error) std::rethrow_exception(error);
    result.response = std::move(came.response);
    result.failure = came.failure;
    result.error = std::move(came.what_failed);
    result.reached = came.reached;
    f.attempt.body = std::move(came.body);
    f.attempt.answered_by = came.hedge;
  } catch (const aio::async_timeout_error&) {
    result.failure = transport_failure::timeout;
    result.error = (f.cut_at.status != 0 ? "not all of the answer" : "no answer") + std::string(" within ") +
                   config::format_duration(limit_.duration()) + " (--timeout)";
    result.reached = f.cut_at;
    f.attempt.body = std::move(f.cut_body);
  } catch (const boost::system::system_error& failure) {
    if (failure.code() != boost::asio::error::operation_aborted) throw;
    flow_.cancelled(std::exchange(f.attempt, {}), now());
    return;
  }
  flow_.landed(std::exchange(f.attempt, {}), std::move(result), now());
}

template <class Clock>
void basic_engine<Clock>::stop(core::duration grace) {
  try {
    flow_.stop(now());
  } catch (...) {
    if (!error_) error_ = std::current_exception();
  }
  stop_feeding_.emit(boost::asio::cancellation_type::terminal);
  wake();
  if (grace <= core::duration::zero()) {
    cancel_flights();
    return;
  }
  arm(grace_, core::add_saturating(now(), grace));
  grace_.async_wait([this](const boost::system::error_code& error) {
    if (!error) cancel_flights();
  });
}

template <class Clock>
void basic_engine<Clock>::pause(bool paused) {
  if (std::exchange(paused_, paused) && !paused) wake();
}

template <class Clock>
void basic_engine<Clock>::cancel_flights() {
  // A copy: a flight that ends at once leaves the list.
  const std::vector<flight_ptr> out(flights_.begin(), flights_.end());
  for (const auto& f : out) f->cancel.emit(boost::asio::cancellation_type::terminal);
}

template <class Clock>
void basic_engine<Clock>::fail(std::exception_ptr error) {
  if (!error_) error_ = error;
  flow_.mute();
  stop(core::duration::zero());
}

}  // namespace dspu::app
