// Operations that go as written: for tests of what a policy does around them.
//
//   script op;
//   op.fails(1s).returns(7, 2s);                          // first call: fails after 1 s; second: gives 7 after 2 s
//   sim.run(again.call([&] { return op(); }));
//   EXPECT_EQ(op.calls(), 2u);
//
// The last step repeats. Every call is logged with the instants of its start and end. Not thread-safe.
#pragma once

#include "dspu/testing/manual_clock.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <vector>

namespace dspu::testing {

// What a scripted failure throws, unless told otherwise.
class scripted_failure : public std::runtime_error {
 public:
  scripted_failure() : std::runtime_error("scripted failure") {}
};

class script {
 public:
  using duration = manual_clock::duration;

  enum class ending { pending, returned, threw, cancelled };
  struct call {
    manual_clock::time_point started;
    std::optional<manual_clock::time_point> ended;
    ending how = ending::pending;
  };

  script() = default;
  script(const script&) = delete;  // calls under way refer to it
  script& operator=(const script&) = delete;

  // Each adds a step and returns *this. `takes` 0: the step does not suspend.
  script& returns(int value = 0, duration takes = duration{0});
  script& fails(duration takes = duration{0});
  template <class E>
  script& throws(E error, duration takes = duration{0}) {
    return add({takes, 0, std::make_exception_ptr(std::move(error)), false});
  }
  // Never ends by itself.
  script& hangs();
  // The newest step takes no notice of cancellation until it is over.
  script& ignoring_cancellation();

  // Runs the next step. The script must outlive the call.
  boost::asio::awaitable<int> operator()();

  std::size_t calls() const { return log_.size(); }
  std::size_t running() const { return running_; }
  const std::vector<call>& log() const { return log_; }

 private:
  struct step {
    duration takes;
    int value;
    std::exception_ptr error;
    bool ignores_cancellation;
  };
  class entry;

  script& add(step s);
  boost::asio::awaitable<int> play(step s);

  std::vector<step> steps_;
  std::vector<call> log_;
  std::size_t running_ = 0;
};

}  // namespace dspu::testing
