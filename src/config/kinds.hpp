// The keys of every kind of policy: each once, for reading and writing alike.
//
// fields(visit, options, plan) calls visit(key, value) for each key, or one of
//   visit.ratio(key, value)                       a number, or "10%"
//   visit.object(key, value, fields)              an object in the object
//   visit.rate(key, value)                        a number, or "10/s,burst=20", which gives per and capacity too
//   visit.list(key, values, fields)               a list of objects, or of such rates
//   visit.filter(key, name), visit.budget(key, name)
//   visit.fault(key, name, source), visit.result(key, name, source)
// and short_form(visit, options) calls visit(value) or visit.rate(…) for what stands in the place of an object.
#pragma once

#include "dspu/aio/adaptive_rate.hpp"
#include "dspu/aio/chaos.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/hedge.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/config/detail/plan.hpp"
#include "dspu/core/check.hpp"
#include "dspu/core/token_bucket.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace dspu::config::detail {

template <class Options>
struct kind;

// Whether it is a part of a pipeline, or something that parts refer to.
struct part_of_pipelines {
  static constexpr bool in_a_row = true;
};

template <>
struct kind<aio::timeout_options> : part_of_pipelines {
  static constexpr std::string_view name = "timeout";
  template <class V>
  static void fields(V& v, aio::timeout_options& o, policy_plan&) {
    v("limit", o.limit);
    v("shadow", o.shadow);
  }
  template <class V>
  static void short_form(V& v, aio::timeout_options& o) {
    v(o.limit);
  }
  static void check(const aio::timeout_options& o) {
    core::require(o.limit > aio::duration{0}, "timeout.limit", o.limit, "above 0 s");
  }
};

template <>
struct kind<aio::retry_options> : part_of_pipelines {
  static constexpr std::string_view name = "retry";
  template <class V>
  static void fields(V& v, aio::retry_options& o, policy_plan& p) {
    v("max_attempts", o.max_attempts);
    v("strategy", o.strategy);
    v("base_delay", o.base_delay);
    v("max_delay", o.max_delay);
    v("multiplier", o.multiplier);
    v("jitter", o.jitter);
    v("max_retry_after", o.max_retry_after);
    v("shadow", o.shadow);
    v.filter("classify", p.classify);
    v.budget("budget", p.budget);
  }
  template <class V>
  static void short_form(V& v, aio::retry_options& o) {
    v(o.max_attempts);
  }
  static void check(const aio::retry_options& o) { static_cast<void>(aio::retry(o)); }
};

template <>
struct kind<aio::circuit_breaker_options> : part_of_pipelines {
  static constexpr std::string_view name = "circuit_breaker";
  template <class V>
  static void fields(V& v, aio::circuit_breaker_options& o, policy_plan& p) {
    v("failure_threshold", o.failure_threshold);
    v("success_threshold", o.success_threshold);
    v("timeout", o.timeout);
    v("half_open_max_calls", o.half_open_max_calls);
    v.object("window", o.window, [](auto& w, aio::breaker_window& window) {
      w("calls", window.calls);
      w("time", window.time);
      w("buckets", window.buckets);
      w("min_calls", window.min_calls);
      w.ratio("failure_rate", window.failure_rate);
      w("slow_call", window.slow_call);
      w.ratio("slow_rate", window.slow_rate);
    });
    v("timeout_multiplier", o.timeout_multiplier);
    v("max_timeout", o.max_timeout);
    v("half_open_ramp", o.half_open_ramp);
    v("probe_timeout", o.probe_timeout);
    v("max_retry_after", o.max_retry_after);
    v("metrics_only", o.metrics_only);
    v.filter("classify", p.classify);
  }
  template <class V>
  static void short_form(V& v, aio::circuit_breaker_options& o) {
    v(o.failure_threshold);
  }
  static void check(const aio::circuit_breaker_options& o) { static_cast<void>(aio::circuit_breaker(o)); }
};

template <>
struct kind<aio::rate_limiter_options> : part_of_pipelines {
  static constexpr std::string_view name = "rate_limiter";
  template <class V>
  static void fields(V& v, aio::rate_limiter_options& o, policy_plan&) {
    v.rate("rate", o);
    v("per", o.per);
    v("capacity", o.capacity);
    v("wake_interval", o.wake_interval);
    v("max_waiters", o.max_waiters);
    v.list("also", o.also, [](auto& b, aio::bandwidth& band) {
      b.rate("rate", band);
      b("per", band.per);
      b("capacity", band.capacity);
    });
    v("shadow", o.shadow);
    v("count_all", o.count_all);
  }
  template <class V>
  static void short_form(V& v, aio::rate_limiter_options& o) {
    v.rate(o);
  }
  static void check(const aio::rate_limiter_options& o);
};

template <>
struct kind<aio::bulkhead_options> : part_of_pipelines {
  static constexpr std::string_view name = "bulkhead";
  template <class V>
  static void fields(V& v, aio::bulkhead_options& o, policy_plan&) {
    v("limit", o.limit);
    v("max_queue", o.max_queue);
    v("shadow", o.shadow);
  }
  template <class V>
  static void short_form(V& v, aio::bulkhead_options& o) {
    v(o.limit);
  }
  static void check(const aio::bulkhead_options& o) { static_cast<void>(aio::bulkhead(o)); }
};

template <>
struct kind<aio::throttle_options> : part_of_pipelines {
  static constexpr std::string_view name = "throttle";
  template <class V>
  static void fields(V& v, aio::throttle_options& o, policy_plan& p) {
    v("k", o.k);
    v("window", o.window);
    v.ratio("max_rejection", o.max_rejection);
    v("min_requests", o.min_requests);
    v("shadow", o.shadow);
    v.filter("classify", p.classify);
  }
  template <class V>
  static void short_form(V& v, aio::throttle_options& o) {
    v(o.k);
  }
  static void check(const aio::throttle_options& o) { static_cast<void>(aio::throttle(o)); }
};

template <>
struct kind<aio::adaptive_concurrency_options> : part_of_pipelines {
  static constexpr std::string_view name = "adaptive_concurrency";
  template <class V>
  static void fields(V& v, aio::adaptive_concurrency_options& o, policy_plan& p) {
    v("algorithm", o.algorithm);
    v("initial", o.initial);
    v("min", o.min);
    v("max", o.max);
    v.object("aimd", o.aimd, [](auto& a, core::aimd_options& aimd) {
      a.ratio("backoff_ratio", aimd.backoff_ratio);
      a("timeout", aimd.timeout);
    });
    v.object("vegas", o.vegas,
             [](auto& a, core::vegas_options& vegas) { a("probe_multiplier", vegas.probe_multiplier); });
    v.object("gradient2", o.gradient2, [](auto& a, core::gradient2_options& gradient) {
      a("window", gradient.window);
      a("min_samples", gradient.min_samples);
      a("queue", gradient.queue);
      a("tolerance", gradient.tolerance);
      a("smoothing", gradient.smoothing);
      a("long_window", gradient.long_window);
    });
    v("max_queue", o.max_queue);
    v("shadow", o.shadow);
    v.filter("classify", p.classify);
  }
  template <class V>
  static void short_form(V& v, aio::adaptive_concurrency_options& o) {
    v(o.algorithm);
  }
  static void check(const aio::adaptive_concurrency_options& o) { static_cast<void>(aio::adaptive_concurrency(o)); }
};

template <>
struct kind<aio::adaptive_rate_options> : part_of_pipelines {
  static constexpr std::string_view name = "adaptive_rate";
  template <class V>
  static void fields(V& v, aio::adaptive_rate_options& o, policy_plan& p) {
    v("initial_rate", o.initial_rate);
    v("min_rate", o.min_rate);
    v("max_rate", o.max_rate);
    v("max_burst", o.max_burst);
    v("max_concurrency", o.max_concurrency);
    v("max_hold", o.max_hold);
    v("memory", o.memory);
    v("max_queue", o.max_queue);
    v("shadow", o.shadow);
    v.filter("classify", p.classify);
  }
  template <class V>
  static void short_form(V& v, aio::adaptive_rate_options& o) {
    v(o.initial_rate);
  }
  static void check(const aio::adaptive_rate_options& o) { static_cast<void>(aio::adaptive_rate(o)); }
};

template <>
struct kind<aio::hedge_options> : part_of_pipelines {
  static constexpr std::string_view name = "hedge";
  template <class V>
  static void fields(V& v, aio::hedge_options& o, policy_plan& p) {
    v("max_hedges", o.max_hedges);
    v("delay", o.delay);
    v("quantile", o.quantile);
    v("min_delay", o.min_delay);
    v("window", o.window);
    v("min_samples", o.min_samples);
    v("shadow", o.shadow);
    v.filter("classify", p.classify);
    v.budget("budget", p.budget);
  }
  template <class V>
  static void short_form(V& v, aio::hedge_options& o) {
    v(o.delay);
  }
  static void check(const aio::hedge_options& o) { static_cast<void>(aio::hedge(o)); }
};

template <>
struct kind<aio::chaos_options> : part_of_pipelines {
  static constexpr std::string_view name = "chaos";
  template <class V>
  static void fields(V& v, aio::chaos_options& o, policy_plan& p) {
    v.ratio("fault_rate", o.fault_rate);
    v.ratio("result_rate", o.result_rate);
    v.ratio("latency_rate", o.latency_rate);
    v("latency_min", o.latency_min);
    v("latency_max", o.latency_max);
    v.fault("fault", p.fault, o.fault);
    v.result("result", p.result, o.result);
    v("seed", o.seed);
    v("shadow", o.shadow);
  }
  template <class V>
  static void short_form(V& v, aio::chaos_options& o) {
    v.ratio(o.fault_rate);
  }
  static void check(const aio::chaos_options& o) {
    if (!o.result)
      core::require(!(o.result_rate > 0), "chaos.result_rate", o.result_rate, "0 without a \"result\"");
    static_cast<void>(aio::chaos(o));
  }
};

template <>
struct kind<aio::retry_budget_options> {
  static constexpr std::string_view name = "retry_budget";
  static constexpr bool in_a_row = false;
  template <class V>
  static void fields(V& v, aio::retry_budget_options& o, policy_plan&) {
    v("kind", o.kind);
    v("ttl", o.ttl);
    v("min_retries_per_second", o.min_retries_per_second);
    v.ratio("retries_per_call", o.retries_per_call);
    v("max_tokens", o.max_tokens);
    v("token_ratio", o.token_ratio);
    v("shadow", o.shadow);
  }
  template <class V>
  static void short_form(V& v, aio::retry_budget_options& o) {
    v.ratio(o.retries_per_call);
  }
  static void check(const aio::retry_budget_options& o) { static_cast<void>(aio::retry_budget(o)); }
};

inline void kind<aio::rate_limiter_options>::check(const aio::rate_limiter_options& o) {
  static_cast<void>(core::token_bucket({o.rate, o.per, o.capacity}, core::instant{}));
  double capacity = o.capacity.value_or(o.rate);
  for (std::size_t i = 0; i < o.also.size(); ++i) {
    const auto& band = o.also[i];
    try {
      static_cast<void>(core::token_bucket({band.rate, band.per, band.capacity}, core::instant{}));
    } catch (const core::option_error& e) {
      const auto option = e.name().substr(e.name().rfind('.'));
      throw core::option_error("rate_limiter.also." + std::to_string(i) + option, e.value(), e.range());
    }
    capacity = std::min(capacity, band.capacity.value_or(band.rate));
  }
  core::require(capacity >= 1, "rate_limiter.capacity", capacity, "at least 1, for every call takes a token");
  static_cast<void>(aio::rate_limiter(o));
}

// The words for the values of an enumeration.
template <class E>
struct word {
  E value;
  std::string_view text;
};

constexpr std::array<word<core::backoff_strategy>, 3> words_of(core::backoff_strategy) {
  using enum core::backoff_strategy;
  return {{{constant, "constant"}, {linear, "linear"}, {exponential, "exponential"}}};
}
constexpr std::array<word<core::jitter>, 4> words_of(core::jitter) {
  using enum core::jitter;
  return {{{none, "none"}, {full, "full"}, {equal, "equal"}, {decorrelated, "decorrelated"}}};
}
constexpr std::array<word<core::limit_algorithm>, 3> words_of(core::limit_algorithm) {
  using enum core::limit_algorithm;
  return {{{aimd, "aimd"}, {vegas, "vegas"}, {gradient2, "gradient2"}}};
}
constexpr std::array<word<core::retry_budget_kind>, 2> words_of(core::retry_budget_kind) {
  using enum core::retry_budget_kind;
  return {{{per_call, "per_call"}, {token_ratio, "token_ratio"}}};
}

// Calls do(std::type_identity<Options>) for each kind of policy.
template <class Do, std::size_t... I>
void for_each_kind(const Do& what, std::index_sequence<I...>) {
  (what(std::type_identity<std::variant_alternative_t<I, policy_options>>{}), ...);
}
template <class Do>
void for_each_kind(const Do& what) {
  for_each_kind(what, std::make_index_sequence<std::variant_size_v<policy_options>>{});
}

}  // namespace dspu::config::detail
