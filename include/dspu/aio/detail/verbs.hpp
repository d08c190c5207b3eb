// The verbs of a policy, from its stage: call, call_in, and decoration.
#pragma once

#include "dspu/aio/detail/run_through.hpp"

#include <tuple>
#include <utility>

namespace dspu::aio::detail {

// A callable like fn, each call of which goes through these stages.
template <class... Stages, class F>
auto decorate(std::tuple<Stages...> stages, F fn) {
  return [stages = std::move(stages), fn = std::move(fn)]<class... Args>(Args&&... args)
    requires operation_for<F, std::decay_t<Args>...>
  { return run_through(stages, no_context{}, fn, std::decay_t<Args>(std::forward<Args>(args))...); };
}

// Of a policy that its calls refer to, so that it must outlive them.
template <class Policy>
class verbs {
 public:
  // Runs fn(args…), or fn(context, args…), once through the policy.
  // Suspends, throws: as the policy and fn do. On cancel: as they do; nothing is left running.
  template <class F, class... Args>
    requires operation_for<F, Args...>
  auto call(F fn, Args... args) {
    return run_through(own_stage(), no_context{}, std::move(fn), std::move(args)...);
  }

  // The same within the budget of a call that is under way.
  template <class F, class... Args>
    requires operation_for<F, Args...>
  auto call_in(const call_context& outer, F fn, Args... args) {
    return run_through(own_stage(), call_context(outer), std::move(fn), std::move(args)...);
  }

  // A callable like fn, each call of which goes through the policy; it refers to it.
  template <class F>
  auto operator()(F fn) {
    return decorate(own_stage(), std::move(fn));
  }

 private:
  friend Policy;
  verbs() = default;

  auto own_stage() { return std::tuple(static_cast<Policy&>(*this).stage()); }
};

// The same of a policy whose calls keep what they need of it, so that it may be gone before they end.
template <class Policy>
class value_verbs {
 public:
  template <class F, class... Args>
    requires operation_for<F, Args...>
  auto call(F fn, Args... args) const {
    return run_through(own_stage(), no_context{}, std::move(fn), std::move(args)...);
  }

  template <class F, class... Args>
    requires operation_for<F, Args...>
  auto call_in(const call_context& outer, F fn, Args... args) const {
    return run_through(own_stage(), call_context(outer), std::move(fn), std::move(args)...);
  }

  template <class F>
  auto operator()(F fn) const {
    return decorate(own_stage(), std::move(fn));
  }

 private:
  friend Policy;
  value_verbs() = default;

  auto own_stage() const { return std::tuple(static_cast<const Policy&>(*this).stage()); }
};

}  // namespace dspu::aio::detail
