#include "dspu/aio/detail/waiter.hpp"

#include "waiter_registry.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace dspu::aio::detail {

waiter::waiter(std::shared_ptr<wait_queue> queue, const wait_request& request,
               const asio::any_io_executor& ex)
    : queue_(std::move(queue)),
      registry_(&service_of<waiter_registry>(asio::query(ex, asio::execution::context))),
      executor_(asio::prefer(ex, asio::execution::outstanding_work.tracked)),
      request_(request),
      on_loop_(ex.target<asio::io_context::executor_type>() != nullptr) {}

waiter::waiter(std::shared_ptr<wait_queue> queue, const wait_request& request)
    : queue_(std::move(queue)), registry_(nullptr), request_(request), on_loop_(false) {}

std::exception_ptr waiter::told(error_code ec) const { return ec ? queue_->told(ec, request_) : nullptr; }

void waiter_owner::operator()(waiter* w) const {
  const auto queue = w->granted_ || w->called_ ? w->queue_ : nullptr;
  const bool holds = w->called_ ? queue->lost(*w) : w->granted_;
  const auto amount = w->request_.amount;
  w->discard();
  if (holds) queue->give_back(amount);
}

void waiter_cancellation::operator()(asio::cancellation_type_t) const {
  const auto queue = target->queue_;  // outlives the waiter
  queue->cancel(*target);
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
  waiter_list direct;
  while (!empty()) {
    const waiter& w = front();
    if (!w.on_loop_) {
      post_front(ec);
    } else if (w.called_ || w.registry_->context() != here) {
      post_neighbours(ec);
    } else {
      const waiter_passage passage(front());
      direct.push_back(*pop_front().release());
    }
  }
  direct.call(ec);  // after all others are posted: a handler may destroy a context, which waits for those
}

void waiter_list::post_front(error_code ec) {
  const waiter_passage passage(front());
  const auto ex = front().executor_;
  waiter_list one;
  one.push_back(*pop_front().release());
  asio::post(ex, [all = std::move(one), ec]() mutable { arrive(std::move(all), ec, false); });
}

// Those at the front that are of one loop.
void waiter_list::post_neighbours(error_code ec) {
  waiter_passage passage(front());
  const auto* const registry = front().registry_;
  const auto ex = front().executor_;
  waiter_list neighbours;
  while (!empty() && front().on_loop_ && front().registry_ == registry) {
    passage.add(front());
    neighbours.push_back(*pop_front().release());
  }
  asio::post(ex, [all = std::move(neighbours), ec]() mutable { arrive(std::move(all), ec, true); });
}

// In a function on their executor.
void waiter_list::arrive(waiter_list all, error_code ec, bool on_loop) {
  const auto queue = all.front().queue_;
  if (!ec) queue->collect(all);
  all.call(ec);
  if (on_loop) queue->resumed(nullptr);
}

void waiter_list::call(error_code ec) {
  while (!empty()) {
    auto w = pop_front();
    try {
      w.release()->complete(ec);
    } catch (...) {  // a handler's error goes to the loop; the others are not to suffer
      complete(ec);
      throw;
    }
  }
}

}  // namespace dspu::aio::detail
