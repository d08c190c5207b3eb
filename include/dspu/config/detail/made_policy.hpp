// What is made of the options of a file: policies, and what a pipeline needs of them.
#pragma once

#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/adaptive_rate.hpp"
#include "dspu/aio/any_policy.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/chaos.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/hedge.hpp"
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
  using type = aio::basic_bulkhead<Clock>;
};
template <class Clock>
struct policy_with<aio::throttle_options, Clock> {
  using type = aio::basic_throttle<Clock>;
};
template <class Clock>
struct policy_with<aio::adaptive_concurrency_options, Clock> {
  using type = aio::basic_adaptive_concurrency<Clock>;
};
template <class Clock>
struct policy_with<aio::adaptive_rate_options, Clock> {
  using type = aio::basic_adaptive_rate<Clock>;
};
template <class Clock>
struct policy_with<aio::hedge_options, Clock> {
  using type = aio::basic_hedge<Clock>;
};
template <class Clock>
struct policy_with<aio::chaos_options, Clock> {
  using type = aio::basic_chaos<Clock>;
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

  // Whether a policy that was made by `was` can be changed to the other plan, keeping its state. What it refers to stays.
  static bool can_become(const policy_plan& was, const policy_plan& now) {
    if (was.options.index() != now.options.index() || was.classify != now.classify || was.budget != now.budget) return false;
    return std::visit([]<class Options>(const Options&) { return changes_in_place<Options>; }, now.options);
  }
  void become(made_policy& policy, const policy_plan& now) const {
    std::visit(
        [&]<class Options>(const Options& options) {
          if constexpr (changes_in_place<Options>) {
            static_cast<typename policy_with<Options, Clock>::type*>(policy.object.get())
                ->reconfigure(with_functions(now, options));
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
  made_policy make(const policy_plan& plan, const aio::retry_options& o) const {
    return {.plan = plan, .part = keeping_budget(plan, aio::basic_retry<Clock>(o))};
  }
  template <class Options>
  made_policy make(const policy_plan& plan, const Options& o) const {
    using type = typename policy_with<Options, Clock>::type;
    auto object = std::make_shared<type>(o);
    made_policy made{.plan = plan, .object = object, .type = &typeid(type)};
    if constexpr (aio::detail::composable<type&>) made.part = keeping_budget(plan, *object).keeping(object);
    return made;
  }

  aio::any_policy keeping_budget(const policy_plan& plan, aio::any_policy part) const {
    return plan.budget.empty() ? part : part.keeping(made_.at(plan.budget).object);
  }

  template <class Options>
  Options with_functions(const policy_plan& plan, Options o) const {
    if constexpr (requires { o.classify; }) {
      o.classify = plan.classify.empty() ? functions_.classify : functions_.classifiers.at(plan.classify);
    }
    if constexpr (requires { o.retry_after; }) o.retry_after = functions_.retry_after;
    if constexpr (requires { o.budget; }) {
      if (!plan.budget.empty()) o.budget = static_cast<aio::retry_budget*>(made_.at(plan.budget).object.get());
    }
    return o;
  }

  const bindings& functions_;
  const std::map<std::string, made_policy>& made_;
};

}  // namespace dspu::config::detail
