#include "dspu/testing/simulator.hpp"

#include "dspu/aio/detail/external_work.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>

namespace dspu::testing {

namespace {

constexpr manual_clock::time_point epoch{std::chrono::hours{24 * 365}};

bool another_exists(int change) {
  static std::atomic<int> count{0};
  return (count += change) > 1;
}

std::string describe(std::size_t waiting, manual_clock::duration elapsed) {
  char text[240];
  std::snprintf(text, sizeof text,
                "simulation stuck at %.9g s: %zu %s, nothing is ready and no timer of manual_clock is armed (timers of other "
                "clocks, such as steady_timer, and sockets are not driven)",
                std::chrono::duration<double>(elapsed).count(), waiting, waiting == 1 ? "task waits" : "tasks wait");
  return text;
}

bool threads_are_busy() { return aio::detail::external_work.load(std::memory_order_acquire) > 0; }

}  // namespace

simulation_stuck::simulation_stuck(std::size_t waiting, manual_clock::duration elapsed)
    : std::runtime_error(describe(waiting, elapsed)), waiting_(waiting) {}

simulator::simulator(std::uint64_t seed, int concurrency_hint) : context_(concurrency_hint), random_(seed), start_(epoch) {
  if (another_exists(+1)) {
    another_exists(-1);
    throw std::logic_error("simulator: there is one already; all of them would share manual_clock's time");
  }
  manual_clock::set(start_);
}

simulator::~simulator() { another_exists(-1); }

void simulator::spawn(boost::asio::awaitable<void> task) {
  ++tasks_;
  boost::asio::co_spawn(context_, std::move(task), [this](std::exception_ptr e) {
    --tasks_;
    if (e && !task_error_) task_error_ = e;
  });
}

// What the handler touches is its own: a run that throws leaves the task behind.
void simulator::run_to_its_end(boost::asio::awaitable<void> task) {
  struct fate {
    bool ended = false;
    bool awaited = true;
    std::exception_ptr error;
  };
  const auto f = std::make_shared<fate>();
  ++tasks_;
  boost::asio::co_spawn(context_, std::move(task), [this, f](std::exception_ptr e) {
    --tasks_;
    f->ended = true;
    if (f->awaited) {
      f->error = e;
    } else if (e && !task_error_) {
      task_error_ = e;
    }
  });
  try {
    run_while([&f] { return !f->ended; });
  } catch (...) {
    f->awaited = false;
    throw;
  }
  if (f->error) std::rethrow_exception(f->error);
}

manual_clock::time_point simulator::after_start(manual_clock::duration elapsed) const {
  return manual_clock::time_point{core::add_saturating(start_.time_since_epoch(), elapsed)};
}

void simulator::at(manual_clock::duration elapsed, std::function<void()> f) {
  auto timer = std::make_shared<manual_timer>(context_, after_start(elapsed));
  timer->async_wait([timer, f = std::move(f)](const boost::system::error_code& ec) {
    if (!ec) f();
  });
}

std::size_t simulator::drain() {
  context_.restart();
  std::size_t handlers = 0;
  while (const auto n = context_.poll()) handlers += n;
  return handlers;
}

// The reactor states its nearest deadline only when its timers change; a timer that is due at once makes it do so.
simulator::progress simulator::jump(manual_clock::time_point limit) {
  if (threads_are_busy()) return progress::waits_for_threads;
  constexpr auto never = manual_clock::time_point::max().time_since_epoch().count();
  manual_timer probe(context_, manual_clock::now());
  probe.async_wait([](const boost::system::error_code&) {});
  manual_clock::nearest_.store(never);
  // More than the probe: a pool's thread came back just now, and what that led to comes before any jump.
  if (drain() > 1 || threads_are_busy()) return progress::made;
  const auto nearest = manual_clock::nearest_.load();
  if (nearest == never) return progress::nothing_armed;
  const auto deadline = manual_clock::time_point{manual_clock::duration{nearest}};
  manual_clock::set(std::max(manual_clock::now(), std::min(deadline, limit)));
  return progress::made;
}

void simulator::run_while(const std::function<bool()>& wanted) {
  drain();
  while (wanted()) {
    switch (jump(manual_clock::time_point::max())) {
      case progress::made: break;
      case progress::waits_for_threads: context_.run_one_for(std::chrono::milliseconds{10}); break;
      case progress::nothing_armed:
        if (wanted() && !threads_are_busy()) throw simulation_stuck(tasks_, elapsed());
    }
    drain();
  }
  rethrow_task_error();
}

void simulator::run() {
  drain();
  for (;;) {
    const auto made = jump(manual_clock::time_point::max());
    if (made == progress::waits_for_threads) context_.run_one_for(std::chrono::milliseconds{10});
    drain();
    if (made == progress::nothing_armed && !threads_are_busy()) {
      if (tasks_ > 0) throw simulation_stuck(tasks_, elapsed());
      break;
    }
  }
  rethrow_task_error();
}

bool simulator::step() {
  for (;;) {
    context_.restart();
    if (context_.poll_one() > 0) return true;
    const auto made = jump(manual_clock::time_point::max());
    if (made == progress::waits_for_threads) {
      if (context_.run_one_for(std::chrono::milliseconds{10}) > 0) return true;
    } else if (made == progress::nothing_armed && !threads_are_busy()) {
      return false;
    }
  }
}

bool simulator::advance() { return jump(manual_clock::time_point::max()) != progress::nothing_armed; }

void simulator::run_until(manual_clock::duration elapsed_at_end) {
  const auto end = after_start(elapsed_at_end);
  drain();
  while (manual_clock::now() < end) {
    const auto made = jump(end);
    if (made == progress::waits_for_threads) context_.run_one_for(std::chrono::milliseconds{10});
    if (made == progress::nothing_armed && !threads_are_busy()) manual_clock::set(end);
    drain();
  }
  rethrow_task_error();
}

void simulator::rethrow_task_error() {
  if (auto error = std::exchange(task_error_, nullptr)) std::rethrow_exception(error);
}

}  // namespace dspu::testing
