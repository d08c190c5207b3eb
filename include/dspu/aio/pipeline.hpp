// Policies in a row, as one: the LEFTMOST is the OUTERMOST.
//
//   circuit_breaker breaker{{…}};
//   rate_limiter limiter{{…}};
//   auto resilient = timeout(10s) | retry{{.max_attempts = 5}} | breaker | limiter | timeout(2s);
//   co_await resilient.call(fetch, url);         // 10 s in all; 5 attempts of 2 s; each asks the breaker and the limiter
//   auto stubborn = resilient(fetch);            // co_await stubborn(url)
//
// So a breaker inside a retry counts attempts, outside it counts calls; a limiter inside charges every attempt; a timeout
// inside is for one attempt, outside for all of them with their pauses.
//
// One budget: the time of the timeouts flows inwards. A pause, or a place in a limiter's line, that cannot end before the
// deadline is refused at once with deadline_error, which carries the last real error. What a policy further in refuses
// (an open breaker, a full line) is no outcome of the operation: it counts for no breaker further out, and tokens that
// were taken for it go back. The operation sees the budget if it takes a call_context first (call_context.hpp).
//
// One coroutine drives all policies (and one more, with a thread of execution of its own, if there is a timeout). No type
// is erased, nothing is allocated but frames.
//
// Policies with a state (breaker, limiter, …) are referred to and must outlive the pipeline; retries and timeouts are
// copied. Thread-safety: immutable; any number of calls at once.
#pragma once

#include "dspu/aio/call_context.hpp"
#include "dspu/aio/detail/run_through.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <concepts>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace dspu::aio {

namespace detail {

template <class P>
concept has_stage = requires(P&& p) { std::forward<P>(p).stage(); };

std::string describe(const std::vector<stage_facts>& stages);

// Who is told of a pipeline's decisions.
struct watch {
  aio::observer* observer;
  std::string name;
  classifier judge;
};

// The call gets a number of its own.
void begin_watching(call_context& context, const watch& w, call_record& record);

// Keeps the name of a pipeline that may be gone before the call is over, and tells of its end.
template <class T, class Held, class F, class... Args>
awaitable<T> watched(std::shared_ptr<const watch> w, call_context context, Held stages, F fn, Args... args) {
  call_record record{w->name, w->judge};
  begin_watching(context, *w, record);
  auto running = run_through(std::move(stages), call_context(context), std::move(fn), std::move(args)...);
  const run r(context);
  const auto began = r.context.clock();
  result_slot<T> result;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(running);
      result.emplace();
    } else {
      result.emplace(co_await std::move(running));
    }
  } catch (...) {
    result.fail(std::current_exception());
  }
  tell_of_call(r, ending(result), began);
  co_return result.take();
}

}  // namespace detail

template <class... Stages>
class pipeline {
 public:
  explicit pipeline(std::tuple<Stages...> stages) : stages_(std::move(stages)) {}

  // Runs fn(args…), or fn(context, args…), once through all policies. fn and its arguments live in the call; with a
  // retry in the row they are used again, so they are copied or referred to instead of moved from.
  // Suspends, throws: as the policies and fn do. On cancel: as they do; nothing is left running.
  template <class F, class... Args>
    requires detail::operation_for<F, Args...>
  auto call(F fn, Args... args) const& {
    return start(refs(), detail::no_context{}, std::move(fn), std::move(args)...);
  }
  template <class F, class... Args>
    requires detail::operation_for<F, Args...>
  auto call(F fn, Args... args) const&& {
    return start(stages_, detail::no_context{}, std::move(fn), std::move(args)...);
  }

  // The same within the budget of a call that is under way: its deadline, its retries, its retry budget, its observer.
  template <class F, class... Args>
    requires detail::operation_for<F, Args...>
  auto call_in(const call_context& outer, F fn, Args... args) const& {
    return start(refs(), call_context(outer), std::move(fn), std::move(args)...);
  }

  // A callable like fn, each call of which goes through the policies.
  template <class F>
  auto operator()(F fn) const {
    return [self = *this, fn = std::move(fn)]<class... Args>(Args&&... args)
      requires detail::operation_for<F, std::decay_t<Args>...>
    { return self.start(self.stages_, detail::no_context{}, fn, std::decay_t<Args>(std::forward<Args>(args))...); };
  }

  // The same pipeline, with somebody who is told of all its decisions under this name. The observer must outlive it.
  // `judge` says which ends are called a success and which a failure; it decides nothing else.
  pipeline observed_by(observer& o, std::string name, classifier judge = nullptr) const {
    pipeline copy = *this;
    copy.watch_ = std::make_shared<const detail::watch>(detail::watch{&o, std::move(name), std::move(judge)});
    return copy;
  }

  // "timeout(10 s) | retry(5 attempts, …) | …"
  std::string describe() const { return detail::describe(facts()); }
  // What each policy says of itself, outermost first; lint.hpp looks for what cannot work in it.
  std::vector<stage_facts> facts() const {
    return std::apply([](const auto&... s) { return std::vector<stage_facts>{s.facts()...}; }, stages_);
  }

  const std::tuple<Stages...>& stages() const { return stages_; }

 private:
  template <class Held, class Given, class F, class... Args>
  auto start(Held stages, Given&& given, F fn, Args... args) const {
    using call_type =
        decltype(detail::run_through(std::move(stages), std::move(given), std::move(fn), std::move(args)...));
    if (watch_) {
      using T = typename detail::awaited<call_type>::type;
      call_context context;
      if constexpr (std::same_as<Given, call_context>) context = std::move(given);
      context.clock = detail::clock_of<std::tuple<Stages...>>;
      return detail::watched<T>(watch_, std::move(context), std::move(stages), std::move(fn), std::move(args)...);
    }
    return detail::run_through(std::move(stages), std::move(given), std::move(fn), std::move(args)...);
  }

  std::tuple<const Stages*...> refs() const {
    return std::apply([](const auto&... s) { return std::tuple<const Stages*...>(&s...); }, stages_);
  }

  std::tuple<Stages...> stages_;
  std::shared_ptr<const detail::watch> watch_;
};

namespace detail {

template <class P>
struct is_pipeline : std::false_type {};
template <class... Stages>
struct is_pipeline<pipeline<Stages...>> : std::true_type {};

template <class P>
concept composable = is_pipeline<std::remove_cvref_t<P>>::value || has_stage<P>;

template <class P>
auto stages_of(P&& p) {
  if constexpr (is_pipeline<std::remove_cvref_t<P>>::value) {
    return p.stages();
  } else {
    return std::tuple(std::forward<P>(p).stage());
  }
}

}  // namespace detail

// The left around the right.
template <detail::composable Outer, detail::composable Inner>
auto operator|(Outer&& outer, Inner&& inner) {
  return pipeline(std::tuple_cat(detail::stages_of(std::forward<Outer>(outer)),
                                 detail::stages_of(std::forward<Inner>(inner))));
}

// One policy as a pipeline.
template <detail::composable P>
auto pipe(P&& policy) {
  return pipeline(detail::stages_of(std::forward<P>(policy)));
}

}  // namespace dspu::aio
