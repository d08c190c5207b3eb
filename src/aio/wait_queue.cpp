#include "dspu/aio/detail/wait_queue.hpp"

#include "dspu/aio/detail/remembered_service.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <condition_variable>
#include <utility>

namespace dspu::aio::detail {

// Knows who waits on behalf of one execution context, to destroy them when it is destroyed. Those whom
// another thread has just taken out of their queue are no longer ours to destroy: their context goes away
// once they are posted to it.
class waiter_registry final : public remembered_service {
 public:
  static inline asio::execution_context::id id;

  explicit waiter_registry(asio::execution_context& context) : remembered_service(context) {}

  void add(waiter& w) {
    const std::lock_guard lock(mutex_);
    w.registry_links::link_before(all_);
  }

  void take_out(waiter& w) {
    const std::lock_guard lock(mutex_);
    w.registry_links::unlink();
    ++on_the_way_;
  }

  void arrived(std::size_t n) {
    const std::lock_guard lock(mutex_);
    on_the_way_ -= n;
    if (on_the_way_ == 0) all_arrived_.notify_all();
  }

 private:
  void shutdown() override {
    while (const auto queue = first_queue()) queue->abandon(*this);
    std::unique_lock lock(mutex_);
    all_arrived_.wait(lock, [this] { return on_the_way_ == 0; });
  }

  std::shared_ptr<wait_queue> first_queue() {
    const std::lock_guard lock(mutex_);
    return all_.linked() ? waiter::in_registry(all_.next).queue_ : nullptr;
  }

  std::mutex mutex_;
  std::condition_variable all_arrived_;
  waiter_links all_;
  std::size_t on_the_way_ = 0;
};

// Lives until waiters of one context have been posted, called or destroyed, and then tells the context.
class waiter_passage {
 public:
  explicit waiter_passage(waiter& w) : registry_(w.registry_) { add(w); }
  waiter_passage(const waiter_passage&) = delete;
  waiter_passage& operator=(const waiter_passage&) = delete;
  ~waiter_passage() {
    if (waiters_ > 0) registry_->arrived(waiters_);
  }

  void add(waiter& w) {
    if (std::exchange(w.on_the_way_, false)) ++waiters_;
  }

 private:
  waiter_registry* registry_;
  std::size_t waiters_ = 0;
};

waiter::waiter(std::shared_ptr<wait_queue> queue, const wait_request& request,
               const asio::any_io_executor& ex)
    : queue_(std::move(queue)),
      registry_(&service_of<waiter_registry>(asio::query(ex, asio::execution::context))),
      executor_(asio::prefer(ex, asio::execution::outstanding_work.tracked)),
      request_(request),
      on_loop_(ex.target<asio::io_context::executor_type>() != nullptr) {}

waiter::waiter(std::shared_ptr<wait_queue> queue, const wait_request& request)
    : queue_(std::move(queue)), registry_(nullptr), request_(request), on_loop_(false) {}

void waiter_owner::operator()(waiter* w) const {
  const auto queue = w->granted_ ? w->queue_ : nullptr;
  const auto amount = w->request_.amount;
  w->discard();
  if (queue) queue->give_back(amount);
}

waiter_list::waiter_list(waiter_list&& other) noexcept {
  if (other.empty()) return;
  head_.link_before(other.head_);
  other.head_.unlink();
}

void waiter_list::discard_all() {
  while (!empty()) {
    const waiter_passage passage(front());
    pop_front();
  }
}

waiter_ptr waiter_list::pop_front() {
  waiter& w = front();
  w.queue_links::unlink();
  return waiter_ptr{&w};
}

void waiter_list::complete_all(error_code ec, const asio::execution_context* here) {
  waiter_list called;
  while (!empty()) {
    const waiter& w = front();
    if (!w.on_loop_) {
      post_front(ec);
    } else if (&asio::query(w.executor_, asio::execution::context) != here) {
      post_neighbours(ec);
    } else {
      const waiter_passage passage(front());
      called.push_back(*pop_front().release());
    }
  }
  called.call(ec);  // after all others are posted: a handler may destroy a context, which waits for those
}

void waiter_list::post_front(error_code ec) {
  const waiter_passage passage(front());
  auto w = pop_front();
  w->granted_ = !ec;
  const auto ex = w->executor_;
  asio::post(ex, [w = std::move(w), ec]() mutable { w.release()->complete(ec); });
}

// Those at the front that are of one loop.
void waiter_list::post_neighbours(error_code ec) {
  waiter_passage passage(front());
  const auto* const registry = front().registry_;
  const auto ex = front().executor_;
  waiter_list neighbours;
  while (!empty() && front().on_loop_ && front().registry_ == registry) {
    passage.add(front());
    front().granted_ = !ec;
    neighbours.push_back(*pop_front().release());
  }
  asio::post(ex, [all = std::move(neighbours), ec]() mutable {
    const auto queue = all.front().queue_;
    all.call(ec);
    queue->resumed();
  });
}

// In a handler of their loop.
void waiter_list::call(error_code ec) {
  while (!empty()) {
    auto w = pop_front();
    w->granted_ = !ec;
    try {
      w.release()->complete(ec);
    } catch (...) {  // a handler's error goes to the loop; the others are not to suffer
      complete(ec);
      throw;
    }
  }
}

std::exception_ptr wait_queue::told(error_code ec, const wait_request&) const {
  return std::make_exception_ptr(boost::system::system_error(ec));
}

void wait_queue::push_back(waiter& w) {
  w.queue_links::link_before(links_of(w.request_.line));
  w.queued_ = true;
  ++size_;
  if (!w.passive()) w.registry_->add(w);
  came(w);
}

void wait_queue::remove_into(waiter_list& list, waiter& w) {
  remove(w);
  if (!w.passive()) list.push_back(w);
}

void wait_queue::remove(waiter& w) {
  w.queue_links::unlink();
  w.queued_ = false;
  --size_;
  went(w);
  if (w.passive()) return;
  w.on_the_way_ = true;
  w.registry_->take_out(w);
}

void wait_queue::cancel(waiter& w) {
  waiter_list aborted;
  {
    const std::lock_guard lock(mutex_);
    if (!w.queued_) return;  // granted already; its completion is on the way
    remove_into(aborted, w);
    left();
  }
  aborted.complete(asio::error::operation_aborted);
}

void wait_queue::abandon(const waiter_registry& context) {
  waiter_list dropped;
  const std::lock_guard lock(mutex_);
  const auto before = size_;
  for (waiter_links& line : line_) {
    for (auto* l = line.next; l != &line;) {
      waiter& w = waiter::in_queue(l);
      l = l->next;
      if (w.registry_ == &context) remove_into(dropped, w);
    }
  }
  if (size_ != before) left();
}

void wait_queue::abort_all() {
  waiter_list aborted;
  {
    const std::lock_guard lock(mutex_);
    if (empty()) return;
    for (int line = 0; line < lines; ++line) {
      while (!empty(line)) remove_into(aborted, front(line));
    }
    left();
  }
  aborted.complete(asio::error::operation_aborted);
}

}  // namespace dspu::aio::detail
