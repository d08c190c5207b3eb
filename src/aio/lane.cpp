#include "dspu/aio/detail/lane.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <type_traits>

namespace dspu::aio::detail {

namespace {

thread_local lane::scope* innermost = nullptr;

template <class F>
class kept_function final : public lane::kept {
 public:
  explicit kept_function(F&& f) : f_(std::move(f)) {}
  void run() override { std::move(f_)(); }

 private:
  F f_;
};

// A function on its way into a lane.
template <class F>
class entering {
 public:
  entering(lane_ref l, F f) : lane_(std::move(l)), f_(std::move(f)) {}

  void operator()() {
    const lane_ref l = std::move(lane_);
    if (l->try_enter()) {
      lane::scope in(*l);
      std::move(f_)();
      in.leave();
      return;
    }
    auto k = std::make_unique<kept_function<F>>(std::move(f_));
    if (l->keep(k.get())) {
      static_cast<void>(k.release());
      return;
    }
    lane::scope in(*l);
    k->run();
    in.leave();
  }

 private:
  lane_ref lane_;
  F f_;
};

// The executor: the lane, and the inner executor with whatever properties were asked for.
template <class Inner>
class lane_executor {
 public:
  lane_executor(lane_ref l, Inner inner) noexcept : lane_(std::move(l)), inner_(std::move(inner)) {}

  template <class Property>
    requires(asio::can_query<const Inner&, Property>::value)
  decltype(auto) query(const Property& p) const {
    return asio::query(inner_, p);
  }

  template <class Property>
    requires(asio::can_require<const Inner&, Property>::value &&
             !std::is_convertible_v<Property, asio::execution::blocking_t::always_t>)
  auto require(const Property& p) const {
    return with(asio::require(inner_, p));
  }

  template <class Property>
    requires(asio::can_prefer<const Inner&, Property>::value &&
             !std::is_convertible_v<Property, asio::execution::blocking_t::always_t>)
  auto prefer(const Property& p) const {
    return with(asio::prefer(inner_, p));
  }

  template <class F>
  void execute(F f) const {
    if (asio::query(inner_, asio::execution::blocking) != asio::execution::blocking.never && lane_->runs_here()) {
      std::move(f)();
      return;
    }
    inner_.execute(entering<F>(lane_, std::move(f)));
  }

  friend bool operator==(const lane_executor& a, const lane_executor& b) noexcept { return a.lane_ == b.lane_; }
  friend bool operator!=(const lane_executor& a, const lane_executor& b) noexcept { return !(a == b); }

  lane* get() const { return &*lane_; }

 private:
  template <class Other>
  lane_executor<Other> with(Other other) const {
    return {lane_, std::move(other)};
  }

  lane_ref lane_;
  Inner inner_;
};

using loop_executor = asio::io_context::executor_type;
using pool_executor = asio::thread_pool::executor_type;

}  // namespace

lane::nobody lane::taken_;

// Those kept, oldest first, on their way back through the context. The lane stays entered until they have run.
class lane::procession {
 public:
  procession(lane_ref l, kept* newest) : lane_(std::move(l)) {
    while (newest != nullptr) {
      auto* const next = std::exchange(newest->next_, first_);
      first_ = std::exchange(newest, next);
    }
  }
  procession(procession&& other) noexcept
      : lane_(std::move(other.lane_)), first_(std::exchange(other.first_, nullptr)) {}
  procession& operator=(procession&&) = delete;
  ~procession() {
    while (first_ != nullptr) take();
  }

  void operator()() {
    const lane_ref l = lane_;
    scope in(*l);
    try {
      while (first_ != nullptr) take()->run();
    } catch (...) {  // goes to the event loop; the others are not to suffer
      if (first_ != nullptr) {
        in.lane_ = nullptr;
        asio::post(l->base_, std::move(*this));
      }
      throw;
    }
    in.leave();
  }

 private:
  std::unique_ptr<kept> take() {
    auto* const k = std::exchange(first_, first_->next_);
    return std::unique_ptr<kept>(k);
  }

  lane_ref lane_;
  kept* first_ = nullptr;
};

bool lane::keep(kept* k) {
  auto* s = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (s == nullptr) {
      if (state_.compare_exchange_weak(s, &taken_, std::memory_order_acquire, std::memory_order_relaxed)) return false;
    } else {
      k->next_ = s == &taken_ ? nullptr : s;
      if (state_.compare_exchange_weak(s, k, std::memory_order_release, std::memory_order_relaxed)) return true;
    }
  }
}

void lane::exit() {
  kept* expected = &taken_;
  if (state_.compare_exchange_strong(expected, nullptr, std::memory_order_release, std::memory_order_relaxed)) return;
  procession waiting(lane_ref(this), state_.exchange(&taken_, std::memory_order_acq_rel));
  asio::post(base_, std::move(waiting));
}

bool lane::runs_here() const {
  for (const auto* s = innermost; s != nullptr; s = s->outer_) {
    if (s->lane_ == this) return true;
  }
  return false;
}

lane::scope::scope(lane& l) : lane_(&l), outer_(std::exchange(innermost, this)) {}

lane::scope::~scope() {
  if (innermost == this) innermost = outer_;
  if (lane_ != nullptr) lane_->exit();
  if (sequel_ != nullptr) sequel_->resume_by_post();
}

void lane::scope::leave() {
  innermost = outer_;
  std::exchange(lane_, nullptr)->exit();
  if (auto* const s = std::exchange(sequel_, nullptr)) s->resume();
}

void lane::scope::leave_unshared() {
  innermost = outer_;
  std::exchange(lane_, nullptr)->state_.store(nullptr, std::memory_order_relaxed);
  if (auto* const s = std::exchange(sequel_, nullptr)) s->resume();
}

bool lane::scope::do_after(sequel& s, const asio::any_io_executor& base) {
  if (innermost == nullptr || innermost->lane_ == nullptr || innermost->sequel_ != nullptr) return false;
  if (innermost->lane_->base() != base) return false;
  innermost->sequel_ = &s;
  return true;
}

lane_ref lane_ref::make(const asio::any_io_executor& base) {
  asio::recycling_allocator<lane> memory;
  return lane_ref(new (memory.allocate(1)) lane(base));
}

void lane_ref::destroy(lane* l) {
  asio::recycling_allocator<lane> memory;
  l->~lane();
  memory.deallocate(l, 1);
}

lane* lane_of(const asio::any_io_executor& ex) {
  if (const auto* e = ex.target<lane_executor<loop_executor>>()) return e->get();
  if (const auto* e = ex.target<lane_executor<pool_executor>>()) return e->get();
  return nullptr;
}

asio::any_io_executor make_lane(const asio::any_io_executor& ex) {
  if (const auto* loop = ex.target<loop_executor>()) return lane_executor<loop_executor>(lane_ref::make(ex), *loop);
  if (const auto* pool = ex.target<pool_executor>()) return lane_executor<pool_executor>(lane_ref::make(ex), *pool);
  return asio::make_strand(ex);
}

}  // namespace dspu::aio::detail
