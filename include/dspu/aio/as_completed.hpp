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
#include <deque>
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
class completion_state {
 public:
  completion_state(Source source, std::int64_t limit) : source_(std::move(source)), limit_(limit) {
    core::require(limit >= 1, "gather.limit", limit, "at least 1");
    writable_->open();
  }

  static awaitable<std::optional<completion<T>>> next(std::shared_ptr<completion_state> self) {
    const auto executor = co_await asio::this_coro::executor;
    start(self, executor);
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
    self->stopped_ = true;
    if (!self->started_) self->gone_->open();
    if (!self->running_) return;
    asio::post(self->driver_, [self] { self->signal_.emit(asio::cancellation_type::terminal); });
  }

 private:
  struct worker {
    explicit worker(family& f) : thread(f) {}
    child thread;
    result_slot<void> ended;
  };

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
      self->started_ = self->running_ = true;
      self->driver_ = make_serial(ex);
    }
    auto body = drive(end_of_driver(self), ex);
    auto thread = make_thread(self->driver_, std::move(body), self->signal_.slot());
    launch(self->driver_, false, std::move(thread));
  }

  static thread_main drive(end_of_driver end, asio::any_io_executor ex) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto& self = *end.state;
    family f(ex);
    std::deque<worker> workers;
    for (std::int64_t i = 0; i < self.limit_; ++i) {
      auto job = self.take();
      if (!job) break;
      auto& w = workers.emplace_back(f);
      auto body = work(self, std::move(*job));
      w.thread.start(std::move(body), w.ended);
    }
    if (!f.all_ended()) {
      const auto cancellation = co_await asio::this_coro::cancellation_state;
      auto joined = f.join(cancellation.cancelled());
      co_await std::move(joined);
    }
  }

  static awaitable<void> work(completion_state& self, gather_job<T> first) {
    std::optional<gather_job<T>> job(std::move(first));
    while (job) {
      result_slot<T> r;
      try {
        if constexpr (std::is_void_v<T>) {
          co_await std::move(job->op);
          r.emplace();
        } else {
          r.emplace(co_await std::move(job->op));
        }
      } catch (...) {
        r.fail(std::current_exception());
      }
      self.push(job->index, to_result(r));
      co_await gate::pass(self.writable_);
      job = self.take();
    }
  }

  std::optional<gather_job<T>> take() {
    const std::lock_guard lock(mutex_);
    if (stopped_ || exhausted_) return std::nullopt;
    try {
      if (auto op = source_.next()) return gather_job<T>{taken_++, std::move(*op)};
    } catch (...) {
      input_error_ = std::current_exception();
    }
    exhausted_ = true;
    return std::nullopt;
  }

  void push(std::size_t index, result<T> outcome) {
    const std::lock_guard lock(mutex_);
    ready_.push_back({index, std::move(outcome)});
    if (std::ssize(ready_) >= limit_) writable_->close();
    readable_->open();
  }

  std::optional<completion<T>> pop() {
    const std::lock_guard lock(mutex_);
    if (ready_.empty()) {
      if (running_) readable_->close();
      return std::nullopt;
    }
    std::optional<completion<T>> c(std::move(ready_.front()));
    ready_.pop_front();
    if (std::ssize(ready_) < limit_) writable_->open();
    return c;
  }

  // Nothing is ready and nothing will be. Throws what the input threw, once.
  bool over() {
    const std::lock_guard lock(mutex_);
    if (running_ || !ready_.empty()) return false;
    if (auto e = std::exchange(input_error_, nullptr)) std::rethrow_exception(e);
    return true;
  }

  Source source_;
  const std::int64_t limit_;
  std::mutex mutex_;
  std::size_t taken_ = 0;
  bool started_ = false;
  bool running_ = false;
  bool stopped_ = false;
  bool exhausted_ = false;
  std::exception_ptr input_error_;
  std::deque<completion<T>> ready_;
  asio::any_io_executor driver_;
  asio::cancellation_signal signal_;
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
