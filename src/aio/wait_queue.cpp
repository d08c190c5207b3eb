#include "dspu/aio/detail/wait_queue.hpp"

#include "waiter_registry.hpp"

#include <boost/system/system_error.hpp>

#include <utility>

namespace dspu::aio::detail {

// Holds the lock, with what a queue has to do first and last.
class wait_queue::section {
 public:
  explicit section(wait_queue& q) : queue_(q), lock_(q.mutex_) { q.begin(); }
  section(const section&) = delete;
  section& operator=(const section&) = delete;
  ~section() {
    queue_.end();
    queue_.keep_watch();
  }

 private:
  wait_queue& queue_;
  const std::lock_guard<std::mutex> lock_;
};

std::exception_ptr wait_queue::told(error_code ec, const wait_request&) const {
  return std::make_exception_ptr(boost::system::system_error(ec));
}

void wait_queue::push_back(waiter& w) {
  if (!w.passive()) join_group(w);
  w.queued_ = true;
  w.number_ = ++arrivals_;
  if (w.group_ != nullptr && w.group_->absent_) {
    w.queue_links::link_before(w.group_->passed_over_);
    ++outside_;
  } else {
    comes(w);
    w.queue_links::link_before(links_of(w.request_.line));
    ++size_;
  }
  if (w.passive()) return;
  ++w.group_->waiting_;
  w.registry_->add(w);
}

void wait_queue::grant_into(waiter_list& list, waiter& w, const asio::execution_context* here) {
  take_out(w);
  if (w.passive()) return;
  w.granted_ = true;
  // Those who were called, and have not come yet, go first.
  const bool at_once = w.on_loop_ && w.group_->context_ == here && !w.group_->called_.linked();
  if (time_ == nullptr || at_once) {
    leave_group(w);
  } else {
    call(w);
  }
  list.push_back(w);
}

void wait_queue::grant_newcomer_into(waiter_list& list, waiter& w) {
  w.granted_ = true;
  if (time_ != nullptr) {
    join_group(w);
    call(w);
  }
  list.push_back(w);
}

void wait_queue::remove_into(waiter_list& list, waiter& w) {
  remove(w);
  if (!w.passive()) list.push_back(w);
}

void wait_queue::remove(waiter& w) {
  take_out(w);
  if (!w.passive()) leave_group(w);
}

void wait_queue::take_out(waiter& w) {
  w.queue_links::unlink();
  w.queued_ = false;
  if (!w.passive() && --w.group_->waiting_ == 0) w.group_->unwatch();
  if (w.group_ != nullptr && w.group_->absent_) {
    --outside_;
  } else {
    --size_;
    went(w);
  }
  if (w.passive()) return;
  w.on_the_way_ = true;
  w.registry_->take_out(w);
}

void wait_queue::call(waiter& w) {
  w.called_ = true;
  w.late_ = w.cancelled_ = false;
  w.registry_links::link_before(w.group_->called_);
}

void wait_queue::cancel(waiter& w) {
  waiter_list aborted;
  {
    const section with_lock(*this);
    if (!w.queued_) {  // its completion is on the way
      w.cancelled_ = true;
      return;
    }
    remove_into(aborted, w);
    left();
  }
  aborted.complete(asio::error::operation_aborted);
}

void wait_queue::abandon(const waiter_registry& context) {
  waiter_list dropped;
  const section with_lock(*this);
  const auto drop_from = [&](waiter_links& line) {
    for (auto* l = line.next; l != &line;) {
      waiter& w = waiter::in_queue(l);
      l = l->next;
      if (w.registry_ == &context) remove_into(dropped, w);
    }
  };
  for (waiter_links& line : line_) drop_from(line);
  for (wait_group& g : groups_) {
    if (g.registry_ != &context) continue;
    drop_from(g.passed_over_);
    g.close();  // those of its members who were called are destroyed with the functions that hold them
  }
  left();
}

void wait_queue::abort_all() {
  waiter_list aborted;
  {
    const section with_lock(*this);
    over_ = true;
    const auto abort = [&](waiter_links& line) {
      while (line.linked()) remove_into(aborted, waiter::in_queue(line.next));
    };
    for (waiter_links& line : line_) abort(line);
    for (wait_group& g : groups_) abort(g.passed_over_);
    if (aborted.empty()) return;
    left();
  }
  aborted.complete(asio::error::operation_aborted);
}

void wait_queue::collect(waiter_list& all) {
  if (!all.front().called_) return;
  waiter_list aborted;
  waiter_list going;
  {
    const section with_lock(*this);
    wait_group& group = *all.front().group_;
    group.came_ = true;
    std::size_t back = 0;
    for (auto* l = all.head_.next; l != &all.head_;) {
      waiter& w = waiter::in_queue(l);
      l = l->next;
      const bool holds = has_come(w);
      if (!holds) w.queue_links::unlink();
      if (!holds && !over_ && !w.cancelled_) {
        put_back(w);
        ++back;
      } else {
        leave_group(w);
        if (!holds) aborted.push_back(w);
      }
    }
    back_in_line(group, back, going);
  }
  going.complete(error_code{});
  aborted.complete(asio::error::operation_aborted);
}

bool wait_queue::lost(waiter& w) {
  waiter_list going;
  bool holds = false;
  {
    const section with_lock(*this);
    wait_group& group = *w.group_;
    holds = has_come(w);
    leave_group(w);
    back_in_line(group, 0, going);
  }
  going.complete(error_code{});
  return holds;
}

// One who was called is not on its way any more. Returns: whether it still holds what it was granted.
bool wait_queue::has_come(waiter& w) {
  w.called_ = false;
  if (w.granted_) {
    w.registry_links::unlink();
  } else {
    --outside_;
    if (w.on_loop_) --w.group_->to_come_;
  }
  return w.granted_;
}

// So many of the group were put back; those who were passed over follow, once all have come who were called before them.
void wait_queue::back_in_line(wait_group& g, std::size_t n, waiter_list& going) {
  if (g.absent_) n = g.to_come_ == 0 ? recall(g) : 0;
  if (n > 0) came_back(n, going);
}

void wait_queue::look(wait_group& g, std::uint64_t watch) {
  waiter_list going;
  const asio::execution_context* here = nullptr;
  {
    const section with_lock(*this);
    if (!g.has_ended(watch)) return;
    here = g.context_;
    g.came_ = true;
    if (time_->now() >= look_at_) find_absent(going);
  }
  going.complete(error_code{});
  resumed(here);
}

void wait_queue::find_absent(waiter_list& going) {
  waiter_links stale;
  for (wait_group& g : groups_) {
    if (!g.called_.linked()) continue;
    if (!g.came_ && !g.absent_ && waiter::in_registry(g.called_.next).late_) pass_over(g);
    g.came_ = false;
    for (auto* l = g.called_.next; l != &g.called_;) {
      waiter& w = waiter::in_registry(l);
      l = l->next;
      if (std::exchange(w.late_, true) || g.absent_) {  // if one did not come, those behind it would overtake it
        w.registry_links::unlink();
        w.registry_links::link_before(stale);
      }
    }
  }
  while (stale.linked()) {
    waiter& w = waiter::in_registry(stale.next);
    w.registry_links::unlink();
    w.granted_ = false;
    ++outside_;
    if (w.on_loop_) ++w.group_->to_come_;
    take_back(w, going);
  }
  left();
  look_at_ = core::instant::max();
}

}  // namespace dspu::aio::detail
