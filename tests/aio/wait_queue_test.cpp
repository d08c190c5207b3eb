#include "dspu/aio/detail/wait_queue.hpp"

#include "dspu/aio/rate_limiter.hpp"

#include <gtest/gtest.h>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;

// A loop's executor that calls somebody before it posts.
struct watched_executor {
  asio::io_context* loop;
  const std::function<void()>* before;

  bool operator==(const watched_executor&) const noexcept = default;
  asio::execution_context& query(asio::execution::context_t) const { return *loop; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) {
    return asio::execution::blocking.never;
  }
  template <class F>
  void execute(F f) const {
    (*before)();
    asio::post(*loop, std::move(f));
  }
};

// One thread ends a wait on behalf of a context that another thread destroys in the middle of it.
TEST(WaitQueueWallClock, KeepsAContextUntilWhoeverWaitedThereIsPosted) {
  auto loop = std::make_optional<asio::io_context>();
  auto limiter = std::make_optional<rate_limiter>(rate_limiter_options{.rate = 0.001, .capacity = 1});
  limiter->try_acquire();
  std::jthread destroyer;
  auto destroyed = std::make_shared<std::promise<void>>();
  auto gone = destroyed->get_future();
  auto status = std::future_status::deferred;
  const std::function<void()> meet = [&] {
    destroyer = std::jthread([&loop, destroyed] {
      loop.reset();
      destroyed->set_value();
    });
    status = gone.wait_for(100ms);
  };
  const auto handler = [alive = std::make_shared<int>()](boost::system::error_code) {
    ADD_FAILURE() << "it was called";
  };
  limiter->async_acquire(1, asio::bind_executor(watched_executor{&*loop, &meet}, handler));
  limiter.reset();  // aborts the wait
  EXPECT_EQ(status, std::future_status::timeout) << "the context was destroyed while it was posted to";
  destroyer.join();
}

}  // namespace
}  // namespace dspu::aio
