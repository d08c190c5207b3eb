// What is made of the options of a file: policies, and what a pipeline needs of them.
#pragma once

#include "dspu/aio/any_policy.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/retry_budget.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/config/bindings.hpp"
#include "dspu/config/detail/plan.hpp"

#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

namespace dspu::config::detail {

// Which class has which options. Those with a state are made once and then changed in place.
template <class Options, class Clock>
struct policy_with;
template <class Clock>
struct policy_with<aio::circuit_breaker_options, Clock> {
  using type = aio::basic_circuit_breaker<Clock>;
};
template <class Clock>
struct policy_with<aio::rate_limiter_options, Clock> {
  using type = aio::basic_rate_limiter<Clock>;
};
template <class Clock>
struct policy_with<aio::bulkhead_options, Clock> {
  using type = aio::bulkhead;
};
template <class Clock>
struct policy_with<aio::throttle_options, Clock> {
  using type = aio::basic_throttle<Clock>;
};
template <class Clock>
struct policy_with<aio::retry_budget_options, Clock> {
  using type = aio::retry_budget;
};

struct made_policy {
  policy_plan plan;
  // What has a state; null for retries and timeouts, of which pipelines have copies.
  std::shared_ptr<void> object = nullptr;
  const std::type_info* type = nullptr;
  aio::any_policy part = {};
};

// Makes the policies of a plan; those that others refer to first.
template <class Clock>
class maker {
 public:
  maker(const bindings& functions, const std::map<std::string, made_policy>& made) : functions_(functions), made_(made) {}

  made_policy make(const policy_plan& plan) const {
    return std::visit([&](const auto& options) { return make(plan, with_functions(plan, options)); }, plan.options);
  }

  // Whether a policy that was made by `was` can be changed to the other plan, keeping its state.
  static bool can_become(const policy_plan& was, const policy_plan& now) {
    if (was.options.index() != now.options.index() || was.classify != now.classify) return false;
    return std::visit([]<class Options>(const Options&) { return changes_in_place<Options>; }, now.options);
  }
  static void become(made_policy& policy, const policy_plan& now) {
    std::visit(
        [&]<class Options>(const Options& options) {
          if constexpr (changes_in_place<Options>) {
            static_cast<typename policy_with<Options, Clock>::type*>(policy.object.get())->reconfigure(options);
          }
        },
        now.options);
    policy.plan = now;
  }

 private:
  template <class Options>
  static constexpr bool changes_in_place = requires(typename policy_with<Options, Clock>::type& p, const Options& o) {
    p.reconfigure(o);
  };

  made_policy make(const policy_plan& plan, const aio::timeout_options& o) const {
    return {.plan = plan, .part = aio::basic_timeout<Clock>(o)};
  }
  made_policy make(const policy_plan& plan, aio::retry_options o) const {
    if (plan.budget.empty()) return {.plan = plan, .part = aio::basic_retry<Clock>(std::move(o))};
    const auto& budget = made_.at(plan.budget).object;
    o.budget = static_cast<aio::retry_budget*>(budget.get());
    return {.plan = plan, .part = aio::any_policy(aio::basic_retry<Clock>(std::move(o))).keeping(budget)};
  }
  template <class Options>
  made_policy make(const policy_plan& plan, const Options& o) const {
    using type = typename policy_with<Options, Clock>::type;
    auto object = std::make_shared<type>(o);
    made_policy made{.plan = plan, .object = object, .type = &typeid(type)};
    if constexpr (aio::detail::composable<type&>) made.part = aio::any_policy(*object).keeping(object);
    return made;
  }

  template <class Options>
  Options with_functions(const policy_plan& plan, Options o) const {
    if constexpr (requires { o.classify; }) {
      o.classify = plan.classify.empty() ? functions_.classify : functions_.classifiers.at(plan.classify);
    }
    if constexpr (requires { o.retry_after; }) o.retry_after = functions_.retry_after;
    return o;
  }

  const bindings& functions_;
  const std::map<std::string, made_policy>& made_;
};

}  // namespace dspu::config::detail
