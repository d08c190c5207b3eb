// The two verbs of a policy, from its stage.
#pragma once

#include "dspu/aio/detail/drive.hpp"

#include <tuple>
#include <utility>

namespace dspu::aio::detail {

template <class Policy>
class verbs {
 public:
  // Runs fn(args…), or fn(context, args…), once through the policy.
  // Suspends, throws: as the policy and fn do. On cancel: as they do; nothing is left running.
  template <class F, class... Args>
    requires operation_for<F, Args...>
  auto call(F fn, Args... args) {
    return run_through(own_stage(), {}, std::move(fn), std::move(args)...);
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
    return [stages = own_stage(), fn = std::move(fn)]<class... Args>(Args&&... args)
      requires operation_for<F, std::decay_t<Args>...>
    { return run_through(stages, {}, fn, std::decay_t<Args>(std::forward<Args>(args))...); };
  }

 private:
  friend Policy;
  verbs() = default;

  auto own_stage() { return std::tuple(static_cast<Policy&>(*this).stage()); }
};

}  // namespace dspu::aio::detail
