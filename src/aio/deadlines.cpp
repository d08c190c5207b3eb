#include "dspu/aio/impl/deadlines.ipp"

#include "dspu/aio/clocks.hpp"
#include "dspu/aio/detail/lane.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

namespace dspu::aio::detail {

asio::any_io_executor base_of(const asio::any_io_executor& ex) {
  if (const auto* l = lane_of(ex)) return base_of(l->base());
  if (const auto* s = ex.target<asio::strand<asio::any_io_executor>>()) return base_of(s->get_inner_executor());
  if (const auto* s = ex.target<asio::strand<asio::io_context::executor_type>>()) return s->get_inner_executor();
  if (const auto* s = ex.target<asio::strand<asio::thread_pool::executor_type>>()) return s->get_inner_executor();
  return asio::prefer(ex, asio::execution::outstanding_work.untracked);
}

deadlines::deadlines() {
  for (auto& l : lists_) l.next_ = l.previous_ = &l;
}

void deadlines::add(timed& t, std::int64_t at) {
  const std::lock_guard lock(mutex_);
  t.at_ = at;
  for (auto& l : lists_) {
    if (l.next_ != &l && l.previous_->at_ > at) continue;
    t.previous_ = l.previous_;
    t.next_ = &l;
    t.previous_->next_ = l.previous_ = &t;
    t.place_ = timed::place::list;
    break;
  }
  if (t.place_ == timed::place::nowhere) {
    t.in_tree_ = others_.emplace(at, &t);
    t.place_ = timed::place::tree;
  }
  ++size_;
  if (armed_for_ && *armed_for_ <= at) return;
  try {
    tend_later();
  } catch (...) {
    take_out(t);
    throw;
  }
}

bool deadlines::remove(timed& t) {
  const std::lock_guard lock(mutex_);
  if (t.place_ == timed::place::nowhere) return false;
  take_out(t);
  if (size_ > 0 || !armed_for_) return true;
  try {
    tend_later();
  } catch (...) {  // there is no memory: the timer wakes for nothing
  }
  return true;
}

void deadlines::take_out(timed& t) {
  if (t.place_ == timed::place::list) {
    t.previous_->next_ = t.next_;
    t.next_->previous_ = t.previous_;
  } else {
    others_.erase(t.in_tree_);
  }
  t.place_ = timed::place::nowhere;
  --size_;
}

timed* deadlines::earliest() {
  timed* first = others_.empty() ? nullptr : others_.begin()->second;
  for (auto& l : lists_) {
    if (l.next_ != &l && (first == nullptr || l.next_->at_ < first->at_)) first = l.next_;
  }
  return first;
}

void deadlines::set_base(const asio::any_io_executor& ex) {
  const std::lock_guard lock(mutex_);
  if (!base_) base_ = base_of(ex);
}

void deadlines::shut_down() {
  const std::lock_guard lock(mutex_);
  down_ = true;
  disarm();
}

void deadlines::tend_later() {
  if (tending_ || down_) return;
  asio::post(base_, [this] {
    const std::lock_guard lock(mutex_);
    tending_ = false;
    tend();
  });
  tending_ = true;  // the function waits for the lock
}

// Sets the timer to the earliest deadline, if it is set to a later one or not at all.
void deadlines::tend() {
  if (down_) return;
  const auto* const first = earliest();
  if (first == nullptr) {
    armed_for_.reset();
    disarm();
    return;
  }
  if (armed_for_ && *armed_for_ <= first->at_) return;
  armed_for_.reset();  // if it cannot be armed, whoever comes next tries again
  arm(base_, first->at_, ++armings_);
  armed_for_ = first->at_;
}

void deadlines::fire(std::uint64_t armed) {
  std::unique_lock lock(mutex_);
  if (armed != armings_) return;  // it was set anew just now
  armed_for_.reset();
  try {
    while (auto* const first = earliest()) {
      if (first->at_ > now()) break;
      take_out(*first);
      first->expire(lock);
      if (!lock.owns_lock()) lock.lock();
    }
  } catch (...) {  // what a cancellation threw goes to the event loop; the others are not to suffer
    if (!lock.owns_lock()) lock.lock();
    tend();
    throw;
  }
  tend();
}

template deadlines& deadlines_of<std::chrono::steady_clock>(const asio::any_io_executor&);
template deadlines& deadlines_of<tsc_clock>(const asio::any_io_executor&);
template deadlines& deadlines_of<coarse_clock>(const asio::any_io_executor&);

}  // namespace dspu::aio::detail
