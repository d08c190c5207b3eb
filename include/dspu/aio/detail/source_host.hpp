// Keeps an asynchronous source where it runs, and lets a blocking thread have its items.
#pragma once

#include "dspu/aio/detail/async_source.hpp"
#include "dspu/aio/detail/blocking_run.hpp"
#include "dspu/aio/detail/context_link.hpp"
#include "dspu/aio/detail/private_loop.hpp"
#include "dspu/aio/detail/running.hpp"
#include "dspu/aio/detail/serial.hpp"

#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

namespace dspu::aio::detail {

// Where a source runs that has an executor of its own.
template <class S>
std::optional<asio::any_io_executor> executor_of_source([[maybe_unused]] S& source) {
  if constexpr (requires { asio::any_io_executor(source.get_executor()); }) {
    return source.get_executor();
  } else {
    return std::nullopt;
  }
}

// How a range holds its source. get() is called where the source runs.
template <async_source S>
struct owned_source {
  using source_type = S;
  S source;
  S& get(const asio::any_io_executor&) { return source; }
  std::optional<asio::any_io_executor> own_executor() { return executor_of_source(source); }
};

template <async_source S>
struct borrowed_source {
  using source_type = S;
  S* source;
  S& get(const asio::any_io_executor&) { return *source; }
  std::optional<asio::any_io_executor> own_executor() { return executor_of_source(*source); }
};

template <source_factory F>
struct made_source {
  using source_type = decltype(make_source(std::declval<F&>(), std::declval<const asio::any_io_executor&>()));
  F factory;
  std::optional<source_type> source = std::nullopt;
  source_type& get(const asio::any_io_executor& ex) {
    if (!source) source.emplace(make_source(factory, ex));
    return *source;
  }
  std::optional<asio::any_io_executor> own_executor() { return std::nullopt; }
};

template <class Held>
class source_host {
 public:
  using item_type = item_of<typename Held::source_type>;

  source_host(Held held, std::optional<asio::any_io_executor> place, std::stop_token stop)
      : stop_(std::move(stop)), guest_(std::make_shared<guest>()) {
    if (!place) place = held.own_executor();
    if (place) {
      guest_->move_to(*place);
    } else {
      loop_.emplace();
    }
    try {
      guest_->held.emplace(std::move(held));
    } catch (...) {
      guest_->leave_context();
      throw;
    }
  }
  source_host(const source_host&) = delete;
  source_host& operator=(const source_host&) = delete;
  ~source_host() {
    if (loop_) {
      guest_->held.reset();
    } else {
      leave();
    }
  }

  // Blocks. Throws: what the source throws; operation_aborted if stopped, or if the context is; std::logic_error if
  // this thread runs the executor.
  std::optional<item_type> next() {
    auto pulling = pull(guest_);
    if (loop_) return loop_->run(std::move(pulling), stop_);
    auto ex = guest_->executor();
    blocking_run::require_elsewhere(ex, "iter_over_async");
    return blocking_run_of<std::optional<item_type>>::run(std::move(ex), std::move(pulling), stop_);
  }

 private:
  // The source, shared with the coroutine that awaits it: that may be left behind in a stopped context.
  class guest final : public context_link {
   public:
    std::optional<Held> held;

    void move_to(const asio::any_io_executor& ex) {
      executor_ = make_serial(ex);
      link(context_of(ex));
    }
    // Throws: operation_aborted if there is none any more.
    asio::any_io_executor executor() {
      asio::any_io_executor ex;
      while_linked([&] { ex = executor_; });
      if (!ex) {
        throw boost::system::system_error(asio::error::operation_aborted,
                                          "iter_over_async: the context is gone");
      }
      return ex;
    }
    void leave_context() {
      while_linked([this] {
        this->unlink();
        executor_ = {};
      });
    }

    // Keeps itself until the context is destroyed.
    void stay(std::shared_ptr<guest> self) {
      while_linked([&] { self_ = std::move(self); });
    }

   private:
    void context_gone() override {
      const auto self = std::move(self_);
      held.reset();
      executor_ = {};
    }

    asio::any_io_executor executor_;
    std::shared_ptr<guest> self_;
  };

  static awaitable<std::optional<item_type>> pull(std::shared_ptr<guest> g) {
    const auto ex = co_await asio::this_coro::executor;
    auto item = next_of(g->held->get(ex));
    co_return co_await std::move(item);
  }

  static awaitable<void> drop(std::shared_ptr<guest> g) {
    g->held.reset();
    g->leave_context();
    co_return;
  }

  // Destroys the source where it runs. In a context that is stopped, or if there is no memory to get there, it stays until
  // the context is destroyed.
  void leave() noexcept {
    try {
      auto ex = guest_->executor();
      if (runs_here(ex)) {
        guest_->held.reset();
        guest_->leave_context();
      } else {
        blocking_run_of<void>::run(std::move(ex), drop(guest_), {});
      }
    } catch (...) {
      guest_->stay(guest_);
    }
  }

  std::stop_token stop_;
  std::optional<private_loop> loop_;
  std::shared_ptr<guest> guest_;
};

}  // namespace dspu::aio::detail
