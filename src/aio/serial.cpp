#include "dspu/aio/detail/serial.hpp"

#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/aio/detail/lane.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

namespace dspu::aio::detail {

namespace {

// Tells when a context ends that somebody remembers.
class end_of_context final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit end_of_context(asio::execution_context& context) : service(context) {}

 private:
  void shutdown() override { contexts_ended.fetch_add(1, std::memory_order_release); }
};

struct remembered {
  asio::io_context* context = nullptr;
  std::uint64_t ended = 0;
  bool one_thread = false;
};
thread_local remembered last;

}  // namespace

bool is_loop_of_one_thread(asio::io_context& context) {
  const auto ended = contexts_ended.load(std::memory_order_acquire);
  if (last.context != &context || last.ended != ended) {
    asio::use_service<end_of_context>(static_cast<asio::execution_context&>(context));
    // The hint has no public reader; in Asio the scheduler is the io_context's implementation.
    last = {&context, ended, asio::use_service<asio::detail::scheduler>(context).concurrency_hint() == 1};
  }
  return last.one_thread;
}

bool is_loop_of_one_thread(const asio::any_io_executor& ex) {
  const auto* const loop = ex.target<asio::io_context::executor_type>();
  return loop != nullptr && is_loop_of_one_thread(loop->context());
}

bool is_serial(const asio::any_io_executor& ex) {
  if (ex.target<asio::io_context::executor_type>() != nullptr) return is_loop_of_one_thread(ex);
  return ex.target<asio::strand<asio::any_io_executor>>() != nullptr ||
         ex.target<asio::strand<asio::io_context::executor_type>>() != nullptr ||
         ex.target<asio::strand<asio::thread_pool::executor_type>>() != nullptr || lane_of(ex) != nullptr;
}

asio::any_io_executor make_serial(const asio::any_io_executor& ex) {
  if (is_serial(ex)) return ex;
  return asio::make_strand(ex);
}

}  // namespace dspu::aio::detail
