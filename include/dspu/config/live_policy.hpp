// live_policy: a pipeline of a configuration as it is at each call, through all reloads.
#pragma once

#include "dspu/aio/any_policy.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace dspu::config {

namespace detail {

// Where the newest any_policy of a pipeline is.
class newest_policy {
 public:
  aio::any_policy get() const {
    const std::lock_guard lock(mutex_);
    return policy_;
  }
  void set(aio::any_policy p) {
    {
      const std::lock_guard lock(mutex_);
      std::swap(policy_, p);
    }
    // The old one is destroyed here, without the lock.
  }

 private:
  mutable std::mutex mutex_;
  aio::any_policy policy_;
};

}  // namespace detail

// Has the verbs of any_policy. It takes a lock for as long as it takes to copy a pointer. It outlives its configuration, and
// a reload in which its pipeline is missing: it stays as it was then.
// Thread-safety: as any_policy.
class live_policy {
 public:
  explicit live_policy(std::shared_ptr<const detail::newest_policy> newest) : newest_(std::move(newest)) {}

  // As it is now. Stays so, but for the policies with a state, which are changed in place.
  aio::any_policy now() const { return newest_->get(); }

  // Suspends, throws, on cancel: as any_policy's. A reload does not touch a call that is under way.
  template <class F, class... Args>
    requires aio::detail::operation<F, Args&...>
  auto call(F fn, Args... args) const {
    return now().call(std::move(fn), std::move(args)...);
  }
  template <class F, class... Args>
    requires aio::detail::operation<F, Args&...>
  auto call_in(const aio::call_context& outer, F fn, Args... args) const {
    return now().call_in(outer, std::move(fn), std::move(args)...);
  }
  template <class F>
  auto operator()(F fn) const {
    return [self = *this, fn = std::move(fn)]<class... Args>(Args&&... args)
      requires aio::detail::operation<F, std::decay_t<Args>&...>
    { return self.call(fn, std::decay_t<Args>(std::forward<Args>(args))...); };
  }

  std::string describe() const { return now().describe(); }
  std::vector<aio::stage_facts> facts() const { return now().facts(); }

 private:
  std::shared_ptr<const detail::newest_policy> newest_;
};

}  // namespace dspu::config
