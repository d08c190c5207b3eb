// The bodies of basic_engine, for those who instantiate it.
#pragma once

#include "dspu/engine.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace dspu::app {

template <class Clock>
basic_engine<Clock>::basic_engine(executor_type executor, const engine_options& options,
                                  request_source& source, transport& wire, flow_observer& told)
    : executor_(executor),
      options_(options),
      source_(source),
      wire_(wire),
      flow_(options.flow, core::instant_of(Clock::now()), told),
      wake_(executor),
      room_(executor),
      grace_(executor),
      time_up_(executor) {}

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
    if (finished()) break;
    arm(wake_, flow_.stopped() ? core::instant::max() : flow_.wake_at());
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
  return flow_.waiting() + flights_.size() >= options_.look_ahead ||
         flow_.weight() >= options_.look_ahead_bytes;
}

template <class Clock>
boost::asio::awaitable<void> basic_engine<Clock>::feed() {
  constexpr int items_between_turns = 64;
  int items = 0;
  input_item item;
  while (!flow_.stopped()) {
    if (full()) {
      arm(room_, core::instant::max());
      boost::system::error_code woken;
      auto token = boost::asio::redirect_error(boost::asio::use_awaitable, woken);
      co_await room_.async_wait(token);
      continue;
    }
    const request_source::state found = source_.next(item);
    if (found == request_source::state::end) break;
    if (found == request_source::state::pending) {
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
void basic_engine<Clock>::launch_all() {
  try {
    while (auto next = flow_.next(now())) launch(*std::move(next));
  } catch (...) {
    fail(std::current_exception());
  }
}

template <class Clock>
void basic_engine<Clock>::launch(dspu::app::attempt what) {
  const auto f = std::make_shared<flight>(executor_, std::move(what));
  f->place = flights_.insert(flights_.end(), f);
  arm(f->limit, f->attempt.limit);
  f->limit.async_wait([f](const boost::system::error_code& error) {
    if (error || !f->attempt.job) return;
    f->given_up = true;
    f->cancel.emit(boost::asio::cancellation_type::terminal);
  });
  auto landed = [this, f](std::exception_ptr error, http_response response) {
    land(f, error, std::move(response));
  };
  boost::asio::co_spawn(executor_, wire_.exchange(f->attempt.job->request, *f->attempt.body),
                        boost::asio::bind_cancellation_slot(f->cancel.slot(), std::move(landed)));
}

template <class Clock>
void basic_engine<Clock>::land(const std::shared_ptr<flight>& f, std::exception_ptr error,
                               http_response response) {
  flights_.erase(f->place);
  f->limit.cancel();
  try {
    settle(*f, error, std::move(response));
  } catch (...) {
    fail(std::current_exception());
  }
  room_.cancel();
  wake();
}

template <class Clock>
void basic_engine<Clock>::settle(flight& f, std::exception_ptr error, http_response response) {
  attempt_result result;
  try {
    if (error) std::rethrow_exception(error);
    result.response = std::move(response);
  } catch (const transport_error& failure) {
    result.failure = failure.kind();
    result.error = failure.what();
  } catch (const boost::system::system_error& failure) {
    if (failure.code() != boost::asio::error::operation_aborted) throw;
    if (!f.given_up) {
      flow_.cancelled(std::exchange(f.attempt, {}), now());
      return;
    }
    result.failure = transport_failure::timeout;
    result.error = "no answer in time";
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
  room_.cancel();
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
void basic_engine<Clock>::cancel_flights() {
  // A copy: a flight that ends at once leaves the list.
  const std::vector<std::shared_ptr<flight>> out(flights_.begin(), flights_.end());
  for (const auto& f : out) f->cancel.emit(boost::asio::cancellation_type::terminal);
}

template <class Clock>
void basic_engine<Clock>::fail(std::exception_ptr error) {
  if (!error_) error_ = error;
  flow_.mute();
  stop(core::duration::zero());
}

}  // namespace dspu::app
