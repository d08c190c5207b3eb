// --config FILE: the policies of a run from a JSON file (docs/config.md), under the names that a fetch has
// for them.
//
//   {"policies": {"breaker":      {"circuit_breaker": {"failure_threshold": 0, "window": {"time": "30s"}}},
//                 "host_rate":    {"rate_limiter": "100/m,burst=10"},
//                 "retry":        {"retry": {"max_attempts": 5, "base_delay": "200ms"}},
//                 "retry_budget": {"retry_budget": "10%"},
//                 "timeout":      {"timeout": "20s"}}}
#pragma once

#include "dspu/options.hpp"

#include <functional>
#include <string>

namespace dspu::app {

// Tells whether an option was on the command line, by its long name: "--host-rate".
using given_flags = std::function<bool(const std::string& flag)>;

// Sets in `options` what the file says and no flag that is `given`. What the file does not say of a policy
// that it has is the library's default. Throws: std::invalid_argument (config::config_error) naming the path
// in the file of everything that is wrong.
void apply_config(const std::string& path, fetch_options& options, const given_flags& given);

}  // namespace dspu::app
