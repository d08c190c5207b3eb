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

// A function on its way into a lane.
template <class F>
class lane_function final : public posted {
 public:
  static void post(lane& l, F&& f, bool follows) {
    asio::recycling_allocator<lane_function> memory;
    auto* const place = memory.allocate(1);
    (new (place) lane_function(std::move(f)))->post_to(l, follows);
  }

 private:
  explicit lane_function(F&& f) : f_(std::move(f)) {}

  void on_arrival() override {
    F f = take();
    std::move(f)();
  }
  void on_shutdown() override { static_cast<void>(take()); }

  // The memory is free again before the function is called.
  F take() {
    F f(std::move(f_));
    asio::recycling_allocator<lane_function> memory;
    this->~lane_function();
    memory.deallocate(this, 1);
    return f;
  }

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
    const auto relation = asio::query(inner_, asio::execution::relationship);
    lane_function<F>::post(*lane_, std::move(f), relation == asio::execution::relationship.continuation);
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

void lane::enter(posted& p) {
  if (!try_enter() && keep(p)) return;
  scope in(*this);
  p.on_arrival();
  in.leave();
}

// False if it was entered after all.
bool lane::keep(posted& p) {
  auto* s = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (s == nullptr) {
      if (state_.compare_exchange_weak(s, taken(), std::memory_order_acquire, std::memory_order_relaxed)) return false;
    } else {
      p.next_ = s == taken() ? nullptr : s;
      if (state_.compare_exchange_weak(s, &p, std::memory_order_release, std::memory_order_relaxed)) return true;
    }
  }
}

// Those kept go back through the context, oldest first. The lane stays entered until they have run.
void lane::exit() {
  posted* expected = taken();
  if (state_.compare_exchange_strong(expected, nullptr, std::memory_order_release, std::memory_order_relaxed)) return;
  posted* newest = state_.exchange(taken(), std::memory_order_acq_rel);
  while (newest != nullptr) {
    posted* const older = std::exchange(newest->next_, kept_);
    kept_ = std::exchange(newest, older);
  }
  send_kept();
}

void lane::send_kept() {
  refer();
  posted::post_to(queue_);
}

void lane::on_arrival() {
  const auto self = lane_ref::adopt(*this);
  scope in(*this);
  try {
    while (kept_ != nullptr) take_kept()->on_arrival();
  } catch (...) {  // goes to the event loop; the others are not to suffer
    if (kept_ != nullptr) {
      in.lane_ = nullptr;
      send_kept();
    }
    throw;
  }
  in.leave();
}

void lane::on_shutdown() {
  const auto self = lane_ref::adopt(*this);
  while (kept_ != nullptr) take_kept()->on_shutdown();
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

lane_ref lane_ref::make(const asio::any_io_executor& base, loop_queue& queue) {
  asio::recycling_allocator<lane> memory;
  auto* const l = new (memory.allocate(1)) lane(base, queue);
  l->refer();
  return lane_ref(*l);
}

void lane_ref::destroy(lane* l) {
  asio::recycling_allocator<lane> memory;
  l->~lane();
  memory.deallocate(l, 1);
}

namespace {

template <class Inner>
lane* lane_on(const asio::any_io_executor& ex) {
  using tracking = std::decay_t<decltype(asio::require(std::declval<Inner>(), asio::execution::outstanding_work.tracked))>;
  if (const auto* e = ex.target<lane_executor<Inner>>()) return e->get();
  if (const auto* e = ex.target<lane_executor<tracking>>()) return e->get();
  return nullptr;
}

}  // namespace

lane* lane_of(const asio::any_io_executor& ex) {
  auto* const on_a_loop = lane_on<loop_executor>(ex);
  return on_a_loop != nullptr ? on_a_loop : lane_on<pool_executor>(ex);
}

asio::any_io_executor make_lane(const asio::any_io_executor& ex) {
  if (const auto* loop = ex.target<loop_executor>()) {
    return lane_executor<loop_executor>(lane_ref::make(ex, *queue_of(ex)), *loop);
  }
  if (const auto* pool = ex.target<pool_executor>()) {
    return lane_executor<pool_executor>(lane_ref::make(ex, *queue_of(ex)), *pool);
  }
  return asio::make_strand(ex);
}

}  // namespace dspu::aio::detail
