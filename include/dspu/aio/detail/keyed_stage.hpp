// A key's policy in a pipeline: one that is fixed, or one that each call's arguments name.
#pragma once

#include "dspu/aio/detail/keyed_table.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace dspu::aio::detail {

template <class Policy>
using stage_of = decltype(std::declval<Policy&>().stage());

// The policy's own stage, with a hold on what it refers to.
template <class Policy, class Hold>
class held_stage : public stage_of<Policy> {
 public:
  explicit held_stage(Hold h) : stage_of<Policy>(h->policy.stage()), hold_(std::move(h)) {}

 private:
  Hold hold_;
};

// What the stages of a key have in common with those of its policy.
template <class Policy>
struct stage_like : stage_defaults {
  using clock_type = typename stage_of<Policy>::clock_type;
  static constexpr bool interrupts = stage_of<Policy>::interrupts;
  static constexpr bool reruns = stage_of<Policy>::reruns;
  template <class T>
  static constexpr bool accepts = stage_of<Policy>::template accepts<T>;
  static_assert(!stage_of<Policy>::surrounds, "a policy that runs several at once cannot be kept by key");
};

// In one call: the policy of that key. Without room for it the call is refused there, and another attempt
// asks again.
template <class Keyed>
class located_stage : public stage_like<typename Keyed::policy_type> {
  using key_type = typename Keyed::key_type;
  using hold = typename Keyed::hold;
  using policy_stage = stage_of<typename Keyed::policy_type>;

 public:
  located_stage(Keyed& all, key_view<key_type> key) : all_(&all), found_(all.locate(key)) {
    if (!found_) key_.emplace(key);
  }

  class session {
   public:
    explicit session(const located_stage& s)
        : all_(s.all_), found_(s.found_), key_(s.key_ ? &*s.key_ : nullptr) {}
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    entry enter(run& r, std::size_t level) {
      if (!found_) found_ = all_->locate(*key_);
      if (!found_) {
        const auto most = all_->options().max_keys;
        r.tell(event_kind::refused, "keyed", "too_many_keys", {{"limit", static_cast<double>(most)}});
        return r.refuse(too_many_keys_error(most));
      }
      if (!inner_) {
        stage_.emplace(found_->policy.stage());
        inner_.emplace(*stage_);
      }
      return inner_->enter(r, level);
    }
    awaitable<void> wait(run& r) { return inner_->wait(r); }
    void answer(run& r, ending e) { inner_->answer(r, e); }
    bool plain() const { return inner_->plain(); }
    void succeed(run& r) { inner_->succeed(r); }
    next leave(run& r, std::size_t level, ending e) { return inner_->leave(r, level, e); }
    awaitable<void> attend(run& r, ending e) { return inner_->attend(r, e); }
    void begin_again(run& r) { inner_->begin_again(r); }
    void abandon(run& r) {
      if (inner_) inner_->abandon(r);
    }

   private:
    Keyed* all_;
    hold found_;
    const key_type* key_;  // the stage outlives its sessions
    std::optional<policy_stage> stage_;
    std::optional<typename policy_stage::session> inner_;
  };

 private:
  Keyed* all_;
  hold found_;
  std::optional<key_type> key_;
};

// In a pipeline: of(args…) names the key of each call.
template <class Keyed, class Of>
class by_key_stage : public stage_like<typename Keyed::policy_type> {
 public:
  static constexpr bool looks_at_arguments = true;

  by_key_stage(Keyed& all, Of of) : all_(&all), of_(std::move(of)) {}
  stage_facts facts() const { return all_->facts(); }

  template <class... Args>
  auto for_call(const Args&... args) const {
    static_assert(std::invocable<const Of&, const Args&...>,
                  "the key function does not take the call's arguments");
    const auto& key = std::invoke(of_, args...);
    return located_stage<Keyed>(*all_, key);
  }
  // Never used: for_call() stands in its place.
  using session = session_defaults;

 private:
  Keyed* all_;
  Of of_;
};

}  // namespace dspu::aio::detail
