// Runs coroutines in virtual time: a scenario of hours takes milliseconds and always goes the same way.
//
//   dspu::testing::simulator sim;
//   sim.run(my_coroutine());            // an awaitable; its timers are basic_waitable_timer<manual_clock>
//   EXPECT_EQ(sim.elapsed(), 90s);
//
// It polls its event loop until nothing is ready, then jumps the clock to the nearest deadline (autojump, as in trio's
// MockClock). Where nothing is ready, no timer is armed and somebody still waits, it throws simulation_stuck instead of
// hanging. While work is out on a thread pool (sync_to_async) the time stands still. Only timers of manual_clock are driven:
// a steady_timer or a socket is served if it is ready, but nobody waits for it.
//
// One simulator at a time in a process. Not thread-safe.
#pragma once

#include "dspu/core/duration.hpp"
#include "dspu/core/random.hpp"
#include "dspu/testing/manual_clock.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace dspu::testing {

// Nothing can ever happen any more, and yet somebody waits.
class simulation_stuck : public std::runtime_error {
 public:
  simulation_stuck(std::size_t waiting, manual_clock::duration elapsed);
  std::size_t waiting() const noexcept { return waiting_; }

 private:
  std::size_t waiting_;
};

class simulator {
 public:
  using executor_type = boost::asio::io_context::executor_type;

  // `seed` is what random() starts from; print it in a test that draws from it. `concurrency_hint` is that of context():
  // with BOOST_ASIO_CONCURRENCY_HINT_DEFAULT the library takes it for a loop of several threads.
  explicit simulator(std::uint64_t seed = 1, int concurrency_hint = 1);
  simulator(const simulator&) = delete;
  simulator& operator=(const simulator&) = delete;
  // What still waits is destroyed without being resumed.
  ~simulator();

  boost::asio::io_context& context() { return context_; }
  executor_type get_executor() { return context_.get_executor(); }

  // Runs until `task` ends and gives its result or throws its error. Others go on in a later run.
  // Throws: simulation_stuck; the first error of a spawned task. `task` then goes on in a later run as if spawned.
  template <class T>
  T run(boost::asio::awaitable<T> task);

  // Starts a task without waiting for it. An error of it is thrown by the next run().
  void spawn(boost::asio::awaitable<void> task);

  // Runs until every task spawned has ended and nothing is left to do.
  // Throws: simulation_stuck; the first error of a spawned task.
  void run();

  // Runs one function of the event loop, after a jump to the nearest deadline if none is ready. False if there is none
  // and no timer is armed. For tests that look at, or cancel, what they test between any two steps of it.
  bool step();

  // Jumps to the nearest deadline and runs nothing. Requires: nothing is ready, as after context().poll(). False if no
  // timer is armed. For tests that run the context themselves.
  bool advance();

  // Runs until the time is start + `elapsed`, at most the clock's last instant; what is due at that instant is done.
  void run_until(manual_clock::duration elapsed);
  void run_for(manual_clock::duration d) { run_until(core::add_saturating(elapsed(), d)); }

  // Calls `f` at start + `elapsed`: at once if that is not in the future, never if the clock does not go so far.
  void at(manual_clock::duration elapsed, std::function<void()> f);

  manual_clock::time_point now() const { return manual_clock::now(); }
  manual_clock::duration elapsed() const { return now() - start_; }
  core::random_source& random() { return random_; }
  // Tasks begun with run() or spawn() that have not ended.
  std::size_t tasks() const { return tasks_; }

 private:
  enum class progress { made, waits_for_threads, nothing_armed };

  template <class T>
  static boost::asio::awaitable<void> keep(boost::asio::awaitable<T> task, std::shared_ptr<std::optional<T>> value) {
    value->emplace(co_await std::move(task));
  }
  manual_clock::time_point after_start(manual_clock::duration elapsed) const;
  void run_to_its_end(boost::asio::awaitable<void> task);
  std::size_t drain();  // the number of handlers run
  progress jump(manual_clock::time_point limit);
  void run_while(const std::function<bool()>& wanted);
  void rethrow_task_error();

  boost::asio::io_context context_;
  core::random_source random_;
  manual_clock::time_point start_;
  std::size_t tasks_ = 0;
  std::exception_ptr task_error_;
};

template <class T>
T simulator::run(boost::asio::awaitable<T> task) {
  if constexpr (std::is_void_v<T>) {
    run_to_its_end(std::move(task));
  } else {
    const auto value = std::make_shared<std::optional<T>>();
    run_to_its_end(keep(std::move(task), value));
    return std::move(**value);
  }
}

}  // namespace dspu::testing
