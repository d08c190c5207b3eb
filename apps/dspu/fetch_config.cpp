#include "dspu/fetch_config.hpp"

#include "dspu/config/configuration.hpp"
#include "dspu/config/detail/plan.hpp"
#include "dspu/config/error.hpp"

#include <array>
#include <utility>
#include <variant>
#include <vector>

namespace dspu::app {

namespace {

// Takes over one policy after another, and gathers what is wrong.
class taking_over {
 public:
  taking_over(fetch_options& options, const given_flags& given) : options_(options), given_(given) {}

  // Whether fetch has a policy of that name.
  bool take(const std::string& name, const config::detail::policy_plan& plan) {
    name_ = name;
    plan_ = &plan;
    if (name == "breaker") return as(&taking_over::breaker);
    if (name == "rate")
      return as<aio::rate_limiter_options>([this](const auto& o) { rate(o, "--rate", options_.rate); });
    if (name == "host_rate")
      return as<aio::rate_limiter_options>(
          [this](const auto& o) { rate(o, "--host-rate", options_.host_rate); });
    if (name == "pace") return as(&taking_over::pace);
    if (name == "retry") return as(&taking_over::retry);
    if (name == "retry_budget") return as(&taking_over::retry_budget);
    if (name == "timeout") return as(&taking_over::timeout);
    if (name == "hedge") return as(&taking_over::hedge);
    if (name == "adaptive_concurrency") return as(&taking_over::adaptive_concurrency);
    if (name == "concurrency")
      return as<aio::bulkhead_options>(
          [this](const auto& o) { width(o, "--concurrency", options_.concurrency); });
    if (name == "host_concurrency")
      return as<aio::bulkhead_options>(
          [this](const auto& o) { width(o, "--host-concurrency", options_.host_concurrency); });
    return false;
  }

  void tell(const std::string& pointer, const std::string& what) {
    problems_.push_back({.pointer = pointer, .line = 0, .column = 0, .text = what});
  }
  const std::vector<config::problem>& problems() const { return problems_; }

 private:
  template <class Options>
  bool as(void (taking_over::*member)(const Options&)) {
    return as<Options>([this, member](const Options& o) { (this->*member)(o); });
  }
  template <class Options, class Do>
  bool as(Do use) {
    if (const auto* o = std::get_if<Options>(&plan_->options)) {
      use(*o);
    } else {
      const config::detail::policy_plan right{Options{}};
      tell("/policies/" + name_, "is a " + std::string(config::detail::kind_of(*plan_)) + "; must be a " +
                                     std::string(config::detail::kind_of(right)));
    }
    return true;
  }

  std::string at(std::string_view key) const {
    return "/policies/" + name_ + "/" + std::string(config::detail::kind_of(*plan_)) + "/" + std::string(key);
  }
  void refuse_if(bool set, std::string_view key) {
    if (set) tell(at(key), "is for pipelines; dspu fetch has no use for it");
  }
  template <class Value>
  void set(const char* flag, Value& value, const Value& from_file) {
    if (!given_(flag)) value = from_file;
  }

  void breaker(const aio::circuit_breaker_options& o) {
    core::breaker_options made = aio::detail::machine_options(o);
    if (given_("--breaker-failures")) made.failure_threshold = options_.breaker.failure_threshold;
    if (given_("--breaker-share")) made.window = options_.breaker.window;
    if (given_("--breaker-successes")) made.success_threshold = options_.breaker.success_threshold;
    if (given_("--breaker-timeout")) made.timeout = options_.breaker.timeout;
    options_.breaker = made;
  }

  void rate(const aio::rate_limiter_options& o, const char* flag, std::optional<rate_spec>& value) {
    refuse_if(!o.also.empty(), "also");
    refuse_if(o.shadow, "shadow");
    if (!given_(flag)) value = rate_spec{o.rate, o.per, o.capacity};
  }

  void pace(const aio::adaptive_rate_options& o) {
    refuse_if(o.shadow, "shadow");
    refuse_if(o.max_queue != aio::adaptive_rate_options{}.max_queue, "max_queue");
    if (given_("--pace") || given_("--no-pace")) return;
    options_.pace = core::adaptive_rate_options{.initial_rate = o.initial_rate,
                                                .min_rate = o.min_rate,
                                                .max_rate = o.max_rate,
                                                .max_burst = o.max_burst,
                                                .max_concurrency = o.max_concurrency};
  }

  void retry(const aio::retry_options& o) {
    refuse_if(o.shadow, "shadow");
    set("--max-attempts", options_.max_attempts, static_cast<std::uint64_t>(o.max_attempts));
    set("--backoff", options_.backoff.strategy, o.strategy);
    set("--base-delay", options_.backoff.base_delay, o.base_delay);
    set("--max-delay", options_.backoff.max_delay, o.max_delay);
    set("--multiplier", options_.backoff.multiplier, o.multiplier);
    set("--jitter", options_.backoff.jitter, o.jitter);
    set("--retry-after-max", options_.retry_after_max, std::chrono::nanoseconds(o.max_retry_after));
  }

  void retry_budget(const aio::retry_budget_options& o) {
    if (!given_("--retry-budget")) options_.retry_budget = o;
  }

  void timeout(const aio::timeout_options& o) {
    refuse_if(o.shadow, "shadow");
    set("--timeout", options_.timeout, std::chrono::nanoseconds(o.limit));
  }

  void hedge(const aio::hedge_options& o) {
    refuse_if(o.shadow, "shadow");
    refuse_if(!plan_->budget.empty(), "budget");
    refuse_if(o.window != aio::hedge_options{}.window, "window");
    refuse_if(o.min_samples != aio::hedge_options{}.min_samples, "min_samples");
    if (given_("--hedge")) return;
    options_.hedge = core::hedge_options{
        .max_hedges = o.max_hedges, .delay = o.delay, .quantile = o.quantile, .min_delay = o.min_delay};
  }

  void adaptive_concurrency(const aio::adaptive_concurrency_options& o) {
    refuse_if(o.shadow, "shadow");
    refuse_if(o.max_queue != aio::adaptive_concurrency_options{}.max_queue, "max_queue");
    // Whoever types a fixed limit wants that.
    if (given_("--adaptive-concurrency") || given_("--host-concurrency")) return;
    options_.adaptive_concurrency = core::adaptive_limit_options{.algorithm = o.algorithm,
                                                                 .initial = o.initial,
                                                                 .min = o.min,
                                                                 .max = o.max,
                                                                 .aimd = o.aimd,
                                                                 .vegas = o.vegas,
                                                                 .gradient2 = o.gradient2};
  }

  void width(const aio::bulkhead_options& o, const char* flag, std::uint64_t& value) {
    refuse_if(o.shadow, "shadow");
    refuse_if(o.max_queue != aio::bulkhead_options{}.max_queue, "max_queue");
    set(flag, value, static_cast<std::uint64_t>(o.limit));
  }

  fetch_options& options_;
  const given_flags& given_;
  std::string name_;
  const config::detail::policy_plan* plan_ = nullptr;
  std::vector<config::problem> problems_;
};

constexpr std::string_view names =
    "adaptive_concurrency, breaker, concurrency, hedge, host_concurrency, host_rate, pace, rate, retry, "
    "retry_budget, timeout";

}  // namespace

void apply_config(const std::string& path, fetch_options& options, const given_flags& given) {
  const auto plan = config::detail::read_plan(config::detail::read_file(path), path, {});
  taking_over file(options, given);
  for (const auto& [name, policies] : plan.pipelines)
    file.tell("/pipelines/" + name, "is no place for policies here: dspu fetch has a pipeline of its own");
  for (const auto& [name, policy] : plan.policies) {
    if (!config::detail::is_shared(name)) continue;  // of a pipeline, which has been told of
    if (!file.take(name, policy)) file.tell("/policies/" + name, "is none of " + std::string(names));
  }
  if (!file.problems().empty()) throw config::config_error(path, file.problems());
}

}  // namespace dspu::app
