// any_policy: a pipeline that is chosen at run time, whatever it is made of.
//
//   any_policy p = timeout(10s) | retry{} | breaker;       // or one policy, or none: any_policy{}
//   if (polite) p = p | limiter;
//   co_await p.call(fetch, url);                           // operations of any result type
//
// As with a pipeline, the leftmost is the outermost, and what holds for pipelines holds here (pipeline.hpp): it is still
// one coroutine that drives all policies. What it costs over a pipeline is an indirect call where a policy is asked, one
// recycled block for what the policies know of the call, and a count of references; scripts/bench measures one beside the other.
// The operation and its arguments are copied or referred to, never moved from, for there may be a retry in the row.
//
// A fallback in the row is for one type of result, as is chaos while it makes up results; call() refuses operations of
// another. With a hedge in the row each attempt gets a copy of the operation and its arguments, results go through the heap,
// and there can be neither.
//
// Policies with a state are referred to and must outlive it, unless it keeps them (keeping()). Copies share everything.
// Thread-safety: immutable but for assignment; any number of calls at once.
#pragma once

#include "dspu/aio/detail/any_row.hpp"
#include "dspu/aio/pipeline.hpp"

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace dspu::aio {

class any_policy {
 public:
  // Calls go straight through.
  any_policy() : row_(std::make_shared<const detail::any_row>()) {}

  // Of a policy or a pipeline.
  template <detail::composable P>
  any_policy(P&& policy) : row_(row_of(detail::stages_of(std::forward<P>(policy)))) {}

  // Runs fn(args…), or fn(context, args…), once through all policies. fn and its arguments live in the call.
  // Suspends, throws: as the policies and fn do; std::invalid_argument at once if a policy in the row is for another type
  // of result. On cancel: as they do; nothing is left running.
  template <class F, class... Args>
    requires detail::operation<F, Args&...>
  auto call(F fn, Args... args) const {
    return start({}, std::move(fn), std::move(args)...);
  }

  // The same within the budget of a call that is under way.
  template <class F, class... Args>
    requires detail::operation<F, Args&...>
  auto call_in(const call_context& outer, F fn, Args... args) const {
    return start(outer, std::move(fn), std::move(args)...);
  }

  // A callable like fn, each call of which goes through the policies.
  template <class F>
  auto operator()(F fn) const {
    return [self = *this, fn = std::move(fn)]<class... Args>(Args&&... args)
      requires detail::operation<F, std::decay_t<Args>&...>
    { return self.start({}, fn, std::decay_t<Args>(std::forward<Args>(args))...); };
  }

  // The same row, with somebody who is told of all its decisions under this name. The observer must outlive it.
  // `judge` says which ends are called a success and which a failure; it decides nothing else.
  any_policy observed_by(observer& o, std::string name, classifier judge = nullptr) const;

  // The same row, which keeps `what` alive, as do calls under way: a policy in it, for example.
  any_policy keeping(std::shared_ptr<const void> what) const;

  // The left around the right; either may be a policy, a pipeline or an any_policy. Who observed one of them does not
  // observe the whole.
  friend any_policy operator|(const any_policy& outer, const any_policy& inner) { return joined(outer, inner); }

  // "timeout(10 s) | retry(5 attempts, …) | …"
  std::string describe() const { return detail::describe(facts()); }
  // What each policy says of itself, outermost first.
  std::vector<stage_facts> facts() const { return row_->facts(); }
  // How many policies there are.
  std::size_t size() const { return row_->elements().size(); }

 private:
  template <class... Stages>
  static std::shared_ptr<const detail::any_row> row_of(std::tuple<Stages...> stages) {
    auto row = std::make_shared<detail::any_row>();
    std::apply([&](auto&... s) { (row->add(std::move(s)), ...); }, stages);
    return row;
  }
  static any_policy joined(const any_policy& outer, const any_policy& inner);

  template <class F, class... Args>
  auto start(call_context context, F fn, Args... args) const {
    using T = detail::operation_result_t<F, Args&...>;
    if (row_->clock() != nullptr) context.clock = row_->clock();
    if (watch_) {
      row_->require(typeid(T));
      return detail::watched<T>(watch_, std::move(context), row_, std::move(fn), std::move(args)...);
    }
    return detail::run_through(row_, std::move(context), std::move(fn), std::move(args)...);
  }

  std::shared_ptr<const detail::any_row> row_;
  std::shared_ptr<const detail::watch> watch_;
};

}  // namespace dspu::aio
