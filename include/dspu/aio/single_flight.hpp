// single_flight: concurrent calls with an equal key share one run.
//
//   single_flight<std::string, page> once;
//   page p = co_await once.call(url, fetch, url);      // fetch(url), unless it is under way already
//   page q = co_await once.call(url, [&resilient, url] { return resilient.call(fetch, url); });
//
// The first caller's operation runs; who comes with an equal key while it does gets a copy of its result, or its error (one
// exception object for all). It is no cache: the next call after it runs anew.
//
// Whoever is cancelled leaves at once, alone: a caller's timeout does not cut the others. The run belongs to all who wait
// for it. It goes on, on the executor of the first, though that one has left; when the last one leaves, it is cancelled and
// waited for. Hence fn and args must not refer to what only the first caller keeps: they are taken by value, and live as
// long as the run.
//
// Callers may be on several event loops. If the first caller's loop is destroyed meanwhile, and the run with it, one of
// those who still wait runs its own operation in its place. The same happens if that loop gives no sign of life for
// `stall_limit` (it is busy, or nobody runs it) while somebody on another loop waits: there are two runs of that key then,
// and whoever waits on the loop that stands still gets the result of the first. If such a caller is the last one, and
// cancelled, it does not wait any longer than that either; the run is cancelled when its loop goes on.
//
// It has no stage for pipelines: these know no keys, a key would be computed from arguments that they only pass on; and a
// run that callers share can have the deadline, the attempts and the observer of none of them. Put pipelines inside, as
// above, or outside: `retry{}.call([&] { return once.call(url, fetch, url); })`. An operation that calls the same flight
// with its own key waits for itself.
//
// Nor has it a shadow mode: it refuses nobody, so there is nothing that it could only tell of. shared() says how many calls
// it has saved.
//
// Thread-safety: call() from any thread and executor; a lock is held for one decision. It may go before its calls end.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/flight.hpp"
#include "dspu/aio/policy.hpp"
#include "dspu/core/check.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace dspu::aio {

struct single_flight_options {
  // How long the event loop of a run may give no sign of life before those who wait on other loops run their own operation.
  // It is asked once in that time, so that it takes once or twice as long. Above 0; shorter makes more operations run
  // twice. duration::max(): they wait for ever.
  duration stall_limit = std::chrono::seconds{1};
};

// The clock is the one that stall_limit is measured with.
template <class Key, class T, class Hash = std::hash<Key>, class Equal = std::equal_to<Key>,
          class Clock = std::chrono::steady_clock>
  requires std::copy_constructible<Key> && (std::is_void_v<T> || std::copy_constructible<T>)
class single_flight {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit single_flight(const single_flight_options& options = {})
      : flights_(std::make_shared<detail::flights<Key, T, Hash, Equal>>()), patience_{options.stall_limit} {
    core::require(options.stall_limit > duration{0}, "single_flight.stall_limit", options.stall_limit, "above 0 s");
  }
  single_flight(const single_flight&) = delete;
  single_flight& operator=(const single_flight&) = delete;

  // The result of the run of that key: of fn(args…), if none is under way.
  // Suspends: until the run has ended. Throws: what it throws.
  // On cancel: operation_aborted at once, if somebody else waits for the run; else the run is cancelled and waited for,
  // and its outcome is ours (but see above for loops that stand still).
  template <class F, class... Args>
    requires async_callable<F, Args...> && std::same_as<awaited_t<F, Args...>, T>
  awaitable<T> call(Key key, F fn, Args... args) {
    return detail::fly<Clock>(flights_, patience_, std::move(key), std::move(fn), std::move(args)...);
  }

  // Runs under way.
  std::size_t in_flight() const { return flights_->in_flight(); }
  // How many calls were given the result of another's run, or were to be.
  std::size_t shared() const { return flights_->shared(); }

 private:
  std::shared_ptr<detail::flights<Key, T, Hash, Equal>> flights_;
  detail::flight_patience patience_;
};

}  // namespace dspu::aio
