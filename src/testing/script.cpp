#include "dspu/testing/script.hpp"

#include "dspu/aio/detail/after.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace dspu::testing {

namespace asio = boost::asio;

// Keeps the log of one call, also if its coroutine is destroyed half-way.
class script::entry {
 public:
  explicit entry(script& s) : script_(s), index_(s.log_.size()) {
    s.log_.push_back({manual_clock::now(), std::nullopt, ending::pending});
    ++s.running_;
  }
  entry(const entry&) = delete;
  entry& operator=(const entry&) = delete;
  ~entry() {
    --script_.running_;
    script_.log_[index_].ended = manual_clock::now();
    script_.log_[index_].how = how;
  }

  ending how = ending::cancelled;

 private:
  script& script_;
  std::size_t index_;
};

script& script::add(step s) {
  steps_.push_back(std::move(s));
  return *this;
}

script& script::returns(int value, duration takes) { return add({takes, value, nullptr, false}); }
script& script::fails(duration takes) { return throws(scripted_failure(), takes); }
script& script::hangs() { return returns(0, duration::max()); }
script& script::ignoring_cancellation() {
  steps_.back().ignores_cancellation = true;
  return *this;
}

asio::awaitable<int> script::operator()() {
  if (steps_.empty()) throw std::logic_error("script: no step was written");
  return play(steps_[std::min(log_.size(), steps_.size() - 1)]);
}

asio::awaitable<int> script::play(step s) {
  entry e(*this);
  if (s.takes > duration{0}) {
    const auto executor = co_await asio::this_coro::executor;
    manual_timer timer(executor, aio::detail::after<manual_clock>(s.takes));
    if (s.ignores_cancellation) {
      co_await timer.async_wait(asio::bind_cancellation_slot(asio::cancellation_slot{}, asio::use_awaitable));
    } else {
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
  e.how = s.error ? ending::threw : ending::returned;
  if (s.error) std::rethrow_exception(s.error);
  co_return s.value;
}

}  // namespace dspu::testing
