// configuration: policies and pipelines from a JSON file, which can be read again while they work.
//
//   auto config = configuration::from_file("resilience.json");        // throws config_error with all that is wrong
//   const auto catalog = config.live("catalog");
//   co_await catalog.call(fetch, url);
//   config.reload();                                                   // on SIGHUP, say; all of it or nothing
//
//   {"policies":  {"backend": {"circuit_breaker": {"failure_threshold": 5, "timeout": "30s"}},
//                  "api":     {"rate_limiter": "10/s,burst=20"}},
//    "pipelines": {"catalog": ["timeout 10s", {"retry": {"max_attempts": 5}}, "backend", "api", "timeout 2s"]}}
//
// The leftmost policy of a pipeline is the outermost. Those in "policies" are shared by all pipelines that name them; those
// that are written in a pipeline are its own. docs/config.md has all keys, with their units, defaults and ranges.
//
// Thread-safety: everything may be called from any thread.
#pragma once

#include "dspu/config/bindings.hpp"
#include "dspu/config/detail/made_policy.hpp"
#include "dspu/config/error.hpp"
#include "dspu/config/live_policy.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dspu::config {

// What an update did to a policy.
struct change {
  enum class kind { added, removed, changed_in_place, replaced };
  // A shared policy's name, or "catalog retry 1": the pipeline, the kind, and which of that kind it is there.
  std::string policy;
  kind what;

  bool operator==(const change&) const = default;
};

namespace detail {

// Throws: config_error.
std::string read_file(const std::string& path);
// Throws: std::invalid_argument with a suggestion.
[[noreturn]] void no_such(std::string_view what, std::string_view name, const std::vector<std::string>& known);

}  // namespace detail

template <class Clock>
class basic_configuration {
 public:
  // From a text; `source` is what it is called in errors. Throws: config_error.
  explicit basic_configuration(std::string_view text, bindings functions = {}, std::string source = {})
      : functions_(std::move(functions)), source_(std::move(source)) {
    update(text);
  }
  // Throws: config_error, also if the file cannot be read.
  static basic_configuration from_file(const std::string& path, bindings functions = {}) {
    return basic_configuration(detail::read_file(path), std::move(functions), path);
  }
  basic_configuration(basic_configuration&& other) noexcept
      : functions_(std::move(other.functions_)),
        source_(std::move(other.source_)),
        plan_(std::move(other.plan_)),
        made_(std::move(other.made_)),
        newest_(std::move(other.newest_)) {}
  basic_configuration& operator=(basic_configuration&&) = delete;

  // Goes by another text from now on. Policies with a state are changed in place and keep it: tokens, counts, calls in
  // flight. Only one that cannot be changed so (another kind, or another filter) is replaced by a new one. Retries and
  // timeouts are swapped. A call that is under way ends under the pipeline that it began with.
  // All or nothing: if anything is wrong with the text, nothing has changed.
  // Returns: what it did, by name. Throws: config_error.
  std::vector<change> update(std::string_view text);
  // The same from the file that it was read from, or from another one. Throws: config_error.
  std::vector<change> reload() { return update(detail::read_file(source_)); }

  // A pipeline as it is from reload to reload. Throws: std::invalid_argument if there is none of that name.
  live_policy live(std::string_view name) const { return live_policy(newest(name)); }
  // A pipeline as it is now. It keeps its policies alive. Throws: the same.
  aio::any_policy pipeline(std::string_view name) const { return newest(name)->get(); }

  // A shared policy with a state, to look at or to steer: `config.policy<circuit_breaker>("backend")->isolate()`.
  // Throws: std::invalid_argument if there is none of that name, or if it is of another kind.
  template <class Policy>
  std::shared_ptr<Policy> policy(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto it = made_.find(std::string(name));
    if (it == made_.end()) detail::no_such("policy", name, detail::names_in(made_));
    if (it->second.type == nullptr || *it->second.type != typeid(Policy)) {
      throw std::invalid_argument("configuration.policy: \"" + it->first + "\" is a " +
                                  std::string(detail::kind_of(it->second.plan)));
    }
    return std::static_pointer_cast<Policy>(it->second.object);
  }

  std::vector<std::string> pipelines() const {
    const std::lock_guard lock(mutex_);
    return detail::names_in(plan_.pipelines);
  }
  // The configuration in force, as a file that gives the same, with every option spelt out.
  std::string to_json() const {
    const std::lock_guard lock(mutex_);
    return detail::to_json(plan_);
  }

 private:
  std::shared_ptr<detail::newest_policy> newest(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    if (!plan_.pipelines.contains(std::string(name))) {
      detail::no_such("pipeline", name, detail::names_in(plan_.pipelines));
    }
    return newest_.at(std::string(name));
  }

  bindings functions_;
  std::string source_;
  mutable std::mutex mutex_;
  detail::file_plan plan_;
  std::map<std::string, detail::made_policy> made_;
  std::map<std::string, std::shared_ptr<detail::newest_policy>> newest_;
};

using configuration = basic_configuration<std::chrono::steady_clock>;

extern template class basic_configuration<std::chrono::steady_clock>;

template <class Clock>
std::vector<change> basic_configuration<Clock>::update(std::string_view text) {
  auto plan = detail::read_plan(text, source_, functions_);
  using maker = detail::maker<Clock>;
  const std::lock_guard lock(mutex_);

  // First all that can fail for want of memory, aside; a retry refers to a budget, which is made before it.
  std::vector<change> changes;
  std::map<std::string, detail::made_policy> made;
  std::vector<std::string> in_place;
  const auto make = [&](const std::string& name, const detail::policy_plan& p) {
    const auto old = made_.find(name);
    if (old == made_.end()) {
      made.emplace(name, maker(functions_, made).make(p));
      changes.push_back({name, change::kind::added});
      return;
    }
    const bool same = detail::to_json(old->second.plan) == detail::to_json(p);
    if (old->second.object != nullptr && (same || maker::can_become(old->second.plan, p))) {
      made.emplace(name, old->second);
      if (same) return;
      in_place.push_back(name);
      changes.push_back({name, change::kind::changed_in_place});
      return;
    }
    made.emplace(name, maker(functions_, made).make(p));
    if (!same) changes.push_back({name, change::kind::replaced});
  };
  for (const bool budgets : {true, false}) {
    for (const auto& [name, p] : plan.policies) {
      if (std::holds_alternative<aio::retry_budget_options>(p.options) == budgets) make(name, p);
    }
  }
  for (const auto& [name, m] : made_) {
    if (!made.contains(name)) changes.push_back({name, change::kind::removed});
  }
  std::vector<std::pair<std::shared_ptr<detail::newest_policy>, aio::any_policy>> rows;
  for (const auto& [name, parts] : plan.pipelines) {
    aio::any_policy row;
    for (const auto& p : parts) row = row | made.at(p).part;
    auto& newest = newest_[name];
    if (newest == nullptr) newest = std::make_shared<detail::newest_policy>();
    rows.emplace_back(newest, std::move(row));
  }

  // Then what cannot fail: the options have been checked.
  const maker changing(functions_, made);
  for (const auto& name : in_place) changing.become(made.at(name), plan.policies.at(name));
  for (auto& [newest, row] : rows) newest->set(std::move(row));
  std::swap(made_, made);
  plan_ = std::move(plan);
  return changes;
}

}  // namespace dspu::config
