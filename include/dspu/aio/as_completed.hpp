// map_as_completed, gather_as_completed: many operations, so many at a time, their results as they come.
//
//   auto pages = map_as_completed(urls, fetch, {.limit = 10});
//   while (auto page = co_await pages.next()) {        // page->index: which of the input; page->outcome: result<T>
//     if (!page->outcome.has_value()) break;           // the stream's destruction cancels the rest
//   }
//
// Nothing is started before the first next(). Input is read lazily: at most `limit` operations run, and at most `limit`
// results wait to be taken. An error ends nothing, it is a result like any other; if the input itself throws, nothing
// more is started and the error comes out of next() after the results.
//
// Destroying the stream cancels what runs, without waiting for it; what it then comes to is dropped. close() waits.
// Thread-safety: one consumer. On an executor with several threads the operations run in parallel, each on a strand of
// its own; the input and `fn` are used by one thread at a time, and must live as long as the stream, or until close().
#pragma once

#include "dspu/aio/detail/gate.hpp"
#include "dspu/aio/gather.hpp"

#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace dspu::aio {

template <class T>
struct completion {
  std::size_t index;  // in the input, from 0
  result<T> outcome;
};

namespace detail {

// Shared by the consumer and the threads of execution that fill it.
template <class T, class Source>
class completion_state final : private posted {  // by which what runs is cancelled
 public:
  completion_state(Source source, std::int64_t limit) : source_(std::move(source)), limit_(limit) {
    core::require(limit >= 1, "gather.limit", limit, "at least 1");
    writable_->open();
  }

  static awaitable<std::optional<completion<T>>> next(std::shared_ptr<completion_state> self) {
    const auto executor = co_await asio::this_coro::executor;
    start(self, executor);
    giving_way way(co_await asio::detail::awaitable_thread_has_context_switched{}, self->ready_in_a_row_);
    if (way.due()) {
      auto given = way.give();
      co_await given;
    }
    for (;;) {
      if (auto c = self->pop()) co_return c;
      if (self->over()) co_return std::nullopt;
      co_await gate::pass(self->readable_);
    }
  }

  static awaitable<void> close(std::shared_ptr<completion_state> self) {
    stop(self);
    co_await gate::pass(self->gone_);
  }

  // Cancels what runs. From any thread.
  static void stop(const std::shared_ptr<completion_state>& self) {
    const std::lock_guard lock(self->mutex_);
    if (std::exchange(self->stopped_, true)) return;
    if (!self->started_) self->gone_->open();
    if (!self->running_) return;
    self->stopping_ = self;
    self->post_surely_to(self->driver_);
  }

 private:
  struct worker {
    explicit worker(family& f) : thread(f) {}
    child thread;
    result_slot<void> ended;
  };
  // An operation and what it comes to. Made before it is begun, so that its result is not lost for lack of memory.
  struct entry {
    gather_job<T> job;
    result_slot<T> result;
  };
  using entries = std::list<entry>;

  // Says that nothing runs any more, also if the threads are destroyed where they stand.
  struct end_of_driver {
    std::shared_ptr<completion_state> state;
    explicit end_of_driver(std::shared_ptr<completion_state> s) : state(std::move(s)) {}
    end_of_driver(end_of_driver&&) = default;
    end_of_driver& operator=(end_of_driver&&) = delete;
    ~end_of_driver() {
      if (!state) return;
      const std::lock_guard lock(state->mutex_);
      state->running_ = false;
      state->readable_->open();
      state->gone_->open();
    }
  };

  static void start(const std::shared_ptr<completion_state>& self, const asio::any_io_executor& ex) {
    {
      const std::lock_guard lock(self->mutex_);
      if (self->started_ || self->stopped_) return;
      self->driver_ = make_serial(ex);
      self->started_ = self->running_ = true;
    }
    try {
      thread_of_execution thread(self->driver_, drive(end_of_driver(self), ex), self->signal_.slot());
      launch(self->driver_, false, std::move(thread));
    } catch (...) {
      const std::lock_guard lock(self->mutex_);
      self->started_ = self->running_ = false;
      throw;
    }
  }

  static thread_main drive(end_of_driver end, asio::any_io_executor ex) {
    auto& self = *end.state;
    family f(ex);
    std::list<worker> workers;
    giving_way way(co_await asio::detail::awaitable_thread_has_context_switched{});
    try {
      for (std::int64_t i = 0; i < self.limit_; ++i) {
        if (giving_way::is_turn(i)) {
          auto given = way.give();
          co_await given;
        }
        entries first;
        if (!self.take(first)) break;
        auto& w = workers.emplace_back(f);
        auto body = work(self, std::move(first));
        w.thread.start(std::move(body), w.ended);
      }
    } catch (...) {
      self.end_input(std::current_exception());
    }
    if (!f.all_ended()) {
      const auto cancellation = co_await asio::this_coro::cancellation_state;
      auto joined = f.join(cancellation.cancelled());
      co_await joined;
    }
  }

  static awaitable<void> work(completion_state& self, entries current) {
    try {
      giving_way way(co_await asio::detail::awaitable_thread_has_context_switched{});
      do {
        auto& [job, result] = current.front();
        if (job.error) {
          result.fail(std::exchange(job.error, nullptr));
        } else {
          try {
            if constexpr (std::is_void_v<T>) {
              co_await std::move(job.op);
              result.emplace();
            } else {
              result.emplace(co_await std::move(job.op));
            }
          } catch (...) {
            result.fail(std::current_exception());
          }
        }
        self.push(current);
        if (way.due()) {
          auto given = way.give();
          co_await given;
        }
        co_await gate::pass(self.writable_);
      } while (self.take(current));
    } catch (...) {
      self.end_input(std::current_exception());
    }
  }

  // The next of the input, as the only entry of `next`. False if there is none. Throws: bad_alloc.
  bool take(entries& next) {
    entries made(1);
    const std::lock_guard alone(input_mutex_);
    if (no_more_input()) return false;
    try {
      if (made.front().job.take(source_, taken_)) {
        next = std::move(made);
        return true;
      }
      end_input(nullptr);
    } catch (...) {
      end_input(std::current_exception());
    }
    return false;
  }

  bool no_more_input() {
    const std::lock_guard lock(mutex_);
    return stopped_ || exhausted_;
  }

  // With an error: next() throws it after all results.
  void end_input(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    exhausted_ = true;
    if (!input_error_ && !stopped_) input_error_ = std::move(error);
  }

  void push(entries& e) {
    const std::lock_guard lock(mutex_);
    ready_.splice(ready_.end(), e);
    if (std::ssize(ready_) >= limit_) writable_->close();
    readable_->open();
  }

  std::optional<completion<T>> pop() {
    entries one;
    {
      const std::lock_guard lock(mutex_);
      if (ready_.empty()) {
        if (running_) readable_->close();
        return std::nullopt;
      }
      one.splice(one.end(), ready_, ready_.begin());
      if (std::ssize(ready_) < limit_) writable_->open();
    }
    auto& [job, result] = one.front();
    return completion<T>{job.index, to_result(result)};
  }

  // Nothing is ready and nothing will be. Throws what the input threw, once.
  bool over() {
    const std::lock_guard lock(mutex_);
    if (running_ || !ready_.empty()) return false;
    if (auto e = std::exchange(input_error_, nullptr)) std::rethrow_exception(e);
    return true;
  }

  void on_arrival() override {
    const auto self = std::move(stopping_);
    signal_.emit(asio::cancellation_type::terminal);
  }
  void on_shutdown() override { const auto self = std::move(stopping_); }

  std::mutex input_mutex_;  // held while the source and the user's function are used; those below are not
  Source source_;
  std::size_t taken_ = 0;
  const std::int64_t limit_;
  int ready_in_a_row_ = 0;  // the consumer's
  std::mutex mutex_;
  bool started_ = false;
  bool running_ = false;
  bool stopped_ = false;
  bool exhausted_ = false;
  std::exception_ptr input_error_;
  entries ready_;
  asio::any_io_executor driver_;
  asio::cancellation_signal signal_;
  std::shared_ptr<completion_state> stopping_;  // while it is posted
  std::shared_ptr<gate> readable_ = std::make_shared<gate>();
  std::shared_ptr<gate> writable_ = std::make_shared<gate>();
  std::shared_ptr<gate> gone_ = std::make_shared<gate>();
};

}  // namespace detail

template <class T, class Source>
class completion_stream {
 public:
  explicit completion_stream(Source source, std::int64_t limit)
      : state_(std::make_shared<detail::completion_state<T, Source>>(std::move(source), limit)) {}
  completion_stream(completion_stream&&) = default;
  completion_stream& operator=(completion_stream&&) = delete;
  ~completion_stream() {
    if (state_) detail::completion_state<T, Source>::stop(state_);
  }

  // The next result, or nothing after the last.
  // Suspends: until one is there. On cancel: operation_aborted; the operations run on, the stream may be used further.
  awaitable<std::optional<completion<T>>> next() { return detail::completion_state<T, Source>::next(state_); }

  // Cancels what runs and waits for it. Results not taken are dropped.
  awaitable<void> close() { return detail::completion_state<T, Source>::close(state_); }

 private:
  std::shared_ptr<detail::completion_state<T, Source>> state_;
};

// fn(element) for each element of the range. Throws: std::invalid_argument if limit < 1.
template <std::ranges::input_range R, async_callable<std::ranges::range_reference_t<R>> F>
auto map_as_completed(R&& range, F fn, gather_options options) {
  using source = detail::range_source<std::views::all_t<R>, F>;
  using value_type = typename detail::awaited<typename source::op_type>::type;
  return completion_stream<value_type, source>(source(std::views::all(std::forward<R>(range)), std::move(fn)),
                                               options.limit);
}

// Over a range of awaitables (moved in) or of callables.
template <detail::gatherable R>
auto gather_as_completed(R&& range, gather_options options) {
  using source = detail::range_source<std::views::all_t<R>, detail::start_each>;
  using value_type = typename detail::awaited<typename source::op_type>::type;
  return completion_stream<value_type, source>(
      source(std::views::all(std::forward<R>(range)), detail::start_each{}), options.limit);
}

}  // namespace dspu::aio
