#include "dspu/aio/impl/deadlines.ipp"

#include "dspu/aio/clocks.hpp"
#include "dspu/aio/detail/lane.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/intrusive/rbtree_algorithms.hpp>

#include <utility>

namespace dspu::aio::detail {

asio::any_io_executor base_of(const asio::any_io_executor& ex) {
  if (const auto* l = lane_of(ex)) return base_of(l->base());
  if (const auto* s = ex.target<asio::strand<asio::any_io_executor>>()) return base_of(s->get_inner_executor());
  if (const auto* s = ex.target<asio::strand<asio::io_context::executor_type>>()) return s->get_inner_executor();
  if (const auto* s = ex.target<asio::strand<asio::thread_pool::executor_type>>()) return s->get_inner_executor();
  return asio::prefer(ex, asio::execution::outstanding_work.untracked);
}

// A red-black tree whose nodes are the deadlines themselves.
struct deadlines::tree_traits {
  using node = timed;
  using node_ptr = timed*;
  using const_node_ptr = const timed*;
  using color = timed::place;
  static node_ptr get_parent(const_node_ptr n) { return n->parent_; }
  static void set_parent(node_ptr n, node_ptr p) { n->parent_ = p; }
  static node_ptr get_left(const_node_ptr n) { return n->previous_; }
  static void set_left(node_ptr n, node_ptr l) { n->previous_ = l; }
  static node_ptr get_right(const_node_ptr n) { return n->next_; }
  static void set_right(node_ptr n, node_ptr r) { n->next_ = r; }
  static color get_color(const_node_ptr n) { return n->place_; }
  static void set_color(node_ptr n, color c) { n->place_ = c; }
  static color black() { return color::tree_as_black; }
  static color red() { return color::tree_as_red; }
};
struct deadlines::tree : boost::intrusive::rbtree_algorithms<tree_traits> {};

deadlines::deadlines() {
  for (auto& l : lists_) l.next_ = l.previous_ = &l;
  tree::init_header(&others_);
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
    tree::insert_equal_upper_bound(&others_, &t, [](const timed* a, const timed* b) { return a->at_ < b->at_; });
  }
  ++size_;
  if ((armed_for_ && *armed_for_ <= at) || !must_tend()) return;
  try {
    post_to(base_);
  } catch (...) {
    tending_ = false;
    take_out(t);
    throw;
  }
}

bool deadlines::remove(timed& t) {
  const std::lock_guard lock(mutex_);
  if (t.place_ == timed::place::nowhere) return false;
  take_out(t);
  if (size_ == 0 && armed_for_ && must_tend()) post_surely_to(base_);
  return true;
}

void deadlines::take_out(timed& t) {
  if (t.place_ == timed::place::list) {
    t.previous_->next_ = t.next_;
    t.next_->previous_ = t.previous_;
  } else {
    tree::erase(&others_, &t);
  }
  t.place_ = timed::place::nowhere;
  --size_;
}

timed* deadlines::earliest() {
  timed* first = tree::begin_node(&others_);
  if (first == tree::end_node(&others_)) first = nullptr;
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
  std::unique_lock lock(mutex_);
  down_ = true;
  disarm();
  while (auto* const first = earliest()) {
    take_out(*first);
    lock.unlock();
    first->context_gone();
    lock.lock();
  }
}

// Whether whoever asks is to post us.
bool deadlines::must_tend() { return !down_ && !std::exchange(tending_, true); }

void deadlines::on_arrival() {
  const std::lock_guard lock(mutex_);
  tending_ = false;
  tend();
}

void deadlines::on_shutdown() {
  const std::lock_guard lock(mutex_);
  tending_ = false;
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
  try {
    arm(base_, first->at_, ++armings_);
    armed_for_ = first->at_;
  } catch (...) {
    armed_for_.reset();
    if (must_tend()) post_surely_to(base_);
  }
}

void deadlines::lose(std::uint64_t armed) {
  const std::lock_guard lock(mutex_);
  if (armed != armings_ || down_) return;
  armed_for_.reset();
  if (must_tend()) post_surely_to(base_);
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
    if (must_tend()) post_surely_to(base_);
    throw;
  }
  tend();
}

template deadlines& deadlines_of<std::chrono::steady_clock>(const asio::any_io_executor&);
template deadlines& deadlines_of<tsc_clock>(const asio::any_io_executor&);
template deadlines& deadlines_of<coarse_clock>(const asio::any_io_executor&);

}  // namespace dspu::aio::detail
