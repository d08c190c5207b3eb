#include "dspu/aio/detail/posted.hpp"

#include "dspu/aio/detail/lane.hpp"
#include "dspu/aio/detail/remembered_service.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <new>
#include <thread>
#include <utility>

namespace dspu::aio::detail {

namespace {

// In Asio the scheduler is what runs an io_context and a thread_pool alike.
class queue_service final : public remembered_service {
 public:
  static inline asio::execution_context::id id;
  explicit queue_service(asio::execution_context& context)
      : remembered_service(context), queue(asio::use_service<loop_queue>(context)) {}

  loop_queue& queue;

 private:
  void shutdown() override {}
};

template <class Executor>
asio::execution_context* context_behind(const asio::any_io_executor& ex) {
  using tracking = std::decay_t<decltype(asio::require(std::declval<Executor>(), asio::execution::outstanding_work.tracked))>;
  if (const auto* plain = ex.target<Executor>()) return &plain->context();
  if (const auto* tracks = ex.target<tracking>()) return &tracks->context();
  return nullptr;
}

}  // namespace

loop_queue* queue_of(const asio::any_io_executor& ex) {
  auto* context = context_behind<asio::io_context::executor_type>(ex);
  if (context == nullptr) context = context_behind<asio::thread_pool::executor_type>(ex);
  return context != nullptr ? &service_of<queue_service>(*context).queue : nullptr;
}

// What executors of other kinds hold of it.
struct posted::handle {
  posted* target;

  explicit handle(posted* p) : target(p) {}
  handle(handle&& other) noexcept : target(std::exchange(other.target, nullptr)) {}
  handle& operator=(handle&&) = delete;
  ~handle() {
    if (target != nullptr && !offer::made_of(target)) target->on_shutdown();
  }
  void operator()() { std::exchange(target, nullptr)->on_arrival(); }
};

void posted::post_to(const asio::any_io_executor& ex) {
  if (auto* const l = lane_of(ex)) return post_to(*l);
  if (auto* const queue = queue_of(ex)) return post_to(*queue);
  const offer made(this);
  asio::post(ex, handle(this));
}

void posted::post_surely_to(const asio::any_io_executor& ex) noexcept {
  for (;;) {
    try {
      return post_to(ex);
    } catch (const std::bad_alloc&) {
      std::this_thread::yield();
    }
  }
}

void posted::post_to(lane& l, bool follows) {
  l.refer();
  lane_ = &l;
  post_to(l.queue(), follows);
}

void posted::post_to(loop_queue& queue, bool follows) { queue.post_immediate_completion(this, follows); }

void posted::arrive(void* owner, scheduler_operation* self, const error_code&, std::size_t) {
  auto& p = static_cast<posted&>(*self);
  if (p.lane_ != nullptr) {
    const auto l = lane_ref::adopt(*std::exchange(p.lane_, nullptr));
    owner != nullptr ? l->enter(p) : p.on_shutdown();
  } else {
    owner != nullptr ? p.on_arrival() : p.on_shutdown();
  }
}

}  // namespace dspu::aio::detail
