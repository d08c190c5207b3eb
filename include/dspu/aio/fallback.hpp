// fallback: something else in the place of a failure.
//
//   auto cached = fallback([&](const outcome&) -> awaitable<page> { co_return co_await cache.get(url); });
//   auto resilient = cached | retry{} | breaker;
//   co_await resilient.call(fetch, url);
//
// fn(outcome) is called when what is inside has failed, and gives the result instead: an awaitable of the operation's
// type, or a value of it. What fn throws is the call's error. A call that its caller cancelled, or that a timeout further
// out has cut short, has no fallback.
//
// Thread-safety: any number of calls at once, and reconfigure() from any thread; fn is called on the executor of the call.
#pragma once

#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <atomic>
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace dspu::aio {

struct fallback_options {
  // Which outcomes are replaced: failures. Without it: every exception, and every result without a value.
  classifier classify = nullptr;
  // Shadow mode: decides and tells the observer, but lets the failure out.
  bool shadow = false;
};

namespace detail {
template <class F>
class fallback_stage;
}

template <class F>
class fallback : public detail::value_verbs<fallback<F>> {
 public:
  explicit fallback(F fn, fallback_options options = {})
      : fn_(std::move(fn)),
        classify_(std::move(options.classify)),
        shadow_(std::make_shared<std::atomic<bool>>(options.shadow)) {}

  // Shadow mode or not, from the next failure on, for all copies and for the pipelines that it is in; the functions stay.
  void reconfigure(const fallback_options& options) { *shadow_ = options.shadow; }
  fallback_options options() const { return {.classify = classify_, .shadow = *shadow_}; }

  // Its part in a pipeline, a copy of it.
  detail::fallback_stage<F> stage() const { return detail::fallback_stage<F>(fn_, classify_, shadow_); }

 private:
  F fn_;
  classifier classify_;
  std::shared_ptr<std::atomic<bool>> shadow_;
};

namespace detail {

template <class F>
class fallback_stage : public stage_defaults {
  using given = std::invoke_result_t<const F&, const outcome&>;

  template <class G>
  struct value {
    using type = G;
  };
  template <class T>
  struct value<awaitable<T>> {
    using type = T;
  };

 public:
  using clock_type = void;
  using value_type = typename value<given>::type;
  template <class T>
  static constexpr bool accepts = std::same_as<T, value_type>;

  fallback_stage(F fn, classifier classify, std::shared_ptr<const std::atomic<bool>> shadow)
      : fn_(std::move(fn)), classify_(std::move(classify)), shadow_(std::move(shadow)) {}
  stage_facts facts() const { return {.policy = "fallback", .text = "", .hides_failures = !classify_ && !*shadow_}; }

  class session : public session_defaults {
   public:
    explicit session(const fallback_stage& s) : stage_(&s) {}

    entry enter(run&, std::size_t) { return entry::go; }
    bool plain() const { return !stage_->classify_; }
    next leave(run& r, std::size_t level, ending e) {
      if (r.cut_from_outside(level)) return next::up;
      const auto& classify = stage_->classify_;
      const auto v = classify ? classify(e.view()) : default_verdict(e.view());
      if (v != verdict::failure) return next::up;
      const bool shadow = *stage_->shadow_;
      r.tell(shadow ? event_kind::shadowed : event_kind::fell_back, "fallback", "failure", {}, e.error());
      return shadow ? next::up : next::attend;
    }
    awaitable<void> attend(run&, ending e) { return fall_back(e); }

   private:
    awaitable<void> fall_back(ending e) {
      auto* slot = e.template slot_of<value_type>();
      const auto failed = e.view();
      if constexpr (std::same_as<given, value_type> && !std::is_void_v<value_type>) {
        slot->emplace(stage_->fn_(failed));
      } else if constexpr (std::is_void_v<given>) {
        stage_->fn_(failed);
        slot->emplace();
      } else if constexpr (std::is_void_v<value_type>) {
        auto falling = stage_->fn_(failed);
        co_await std::move(falling);
        slot->emplace();
      } else {
        auto falling = stage_->fn_(failed);
        slot->emplace(co_await std::move(falling));
      }
      co_return;
    }

    const fallback_stage* stage_;
  };

 private:
  F fn_;
  classifier classify_;
  std::shared_ptr<const std::atomic<bool>> shadow_;
};

}  // namespace detail

}  // namespace dspu::aio
