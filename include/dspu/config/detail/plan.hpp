// What a configuration file says, read and checked, before anything is made of it.
#pragma once

#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/adaptive_rate_options.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/chaos.hpp"
#include "dspu/aio/circuit_breaker_options.hpp"
#include "dspu/aio/hedge_options.hpp"
#include "dspu/aio/rate_limiter_options.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/retry_budget.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/config/bindings.hpp"
#include "dspu/config/error.hpp"

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dspu::config::detail {

// A kind of policy is an alternative here, a description of its keys in src/config/kinds.hpp, and what is made of it in
// detail/made_policy.hpp.
using policy_options =
    std::variant<aio::timeout_options, aio::retry_options, aio::circuit_breaker_options, aio::rate_limiter_options,
                 aio::bulkhead_options, aio::throttle_options, aio::adaptive_concurrency_options, aio::adaptive_rate_options,
                 aio::hedge_options, aio::chaos_options, aio::retry_budget_options>;

struct policy_plan {
  policy_options options;
  std::string classify = {};  // the name of a filter
  std::string budget = {};    // the name of a retry budget
  std::string fault = {};     // the name of what chaos fails with; the options have the function itself
  std::string result = {};    // the same for its made-up results
};

// "retry", "circuit_breaker", …
std::string_view kind_of(const policy_plan& p);

struct file_plan {
  // By name; those written in a pipeline itself have names with blanks in them: "catalog retry 1".
  std::map<std::string, policy_plan> policies;
  // The names of their policies, outermost first.
  std::map<std::string, std::vector<std::string>> pipelines;
};

template <class Made>
std::vector<std::string> names_in(const std::map<std::string, Made>& all) {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const auto& [name, made] : all) names.push_back(name);
  return names;
}

bool is_shared(std::string_view policy_name);

// Throws: config_error with all that is wrong.
file_plan read_plan(std::string_view text, const std::string& source, const bindings& functions);

// A file that gives the same plan, with every option spelt out.
std::string to_json(const file_plan& plan);
// {"retry": {…}}
std::string to_json(policy_plan p);

}  // namespace dspu::config::detail
