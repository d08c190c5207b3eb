#include "dspu/aio/detail/serial.hpp"

#include "dspu/aio/detail/lane.hpp"
#include "dspu/aio/detail/remembered_service.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/version.hpp>
#if BOOST_ASIO_VERSION >= 103200
#include <boost/asio/config.hpp>
#endif

namespace dspu::aio::detail {

namespace {

// Asio 1.32 (Boost 1.87) made the concurrency hint a configuration value. Before that it had no public reader: there the
// scheduler, which is the io_context's implementation, is asked.
int concurrency_hint(asio::execution_context& context) {
#if BOOST_ASIO_VERSION >= 103200
  return asio::config(context).get("scheduler", "concurrency_hint", 0);
#else
  return asio::use_service<asio::detail::scheduler>(context).concurrency_hint();
#endif
}

class loop_hint final : public remembered_service {
 public:
  static inline asio::execution_context::id id;
  explicit loop_hint(asio::execution_context& context)
      : remembered_service(context),
        one_thread(concurrency_hint(context) == 1) {}

  const bool one_thread;

 private:
  void shutdown() override {}
};

}  // namespace

bool is_loop_of_one_thread(asio::io_context& context) { return service_of<loop_hint>(context).one_thread; }

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
