// Policies that three event loops share, two of which stand still whenever they like: who waits on the third is served all
// the same, nothing is lost or minted, and each loop's own waiters go in the order in which they came.
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/core/random.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <list>
#include <optional>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;

struct one {
  std::size_t loop;
  bool plain;      // not on a strand
  int id;
  bool cancelled = false;
  bool served = false;
  std::optional<test::task> task{};
};

template <class Subject>
struct world {
  explicit world(std::uint64_t seed) : random(seed) {
    for (auto& l : others) l.emplace(1);
  }
  ~world() {
    for (auto& l : others) l.reset();
  }

  simulator sim;  // the loop 0, which always runs
  std::array<std::optional<asio::io_context>, 2> others;
  std::array<bool, 2> still{};
  Subject subject;
  core::random_source random;
  std::list<one> all;
  std::array<int, 3> last{-1, -1, -1};  // who was served last there, of those who are on no strand
  bool in_order = true;
  int turns = 0;

  std::uint64_t below(std::uint64_t n) { return random() % n; }

  awaitable<void> come(one& o) {
    const auto began = turns;
    const auto served = [this, &o, began] {
      o.served = true;
      // Who need not wait may go before one who was called and whose turn on the loop is still to come.
      if (!o.plain || began == turns) return;
      in_order = in_order && o.id > last[o.loop];
      last[o.loop] = o.id;
    };
    co_await subject.use(o.loop, served);
  }
  void start(std::size_t loop) {
    if (loop > 0 && !others[loop - 1]) return;
    auto& o = all.emplace_back(loop, below(3) > 0, static_cast<int>(all.size()));
    auto& context = loop == 0 ? sim.context() : *others[loop - 1];
    if (o.plain) {
      o.task.emplace(context.get_executor(), come(o));
    } else {
      o.task.emplace(asio::make_strand(context), come(o));
    }
  }
  void cancel_one() {
    if (all.empty()) return;
    auto& o = *std::next(all.begin(), static_cast<std::ptrdiff_t>(below(all.size())));
    if (!o.plain || o.cancelled || (o.loop > 0 && !others[o.loop - 1])) return;
    o.cancelled = true;
    asio::post(o.loop == 0 ? sim.context() : *others[o.loop - 1], [&o] {
      if (!o.task->done()) o.task->cancel();
    });
  }
  void turn() {
    for (std::size_t i = 0; i < others.size(); ++i) {
      if (!others[i] || still[i]) continue;
      ++turns;
      others[i]->restart();
      others[i]->poll();
    }
    ++turns;
  }
  void run_for(duration d) {
    for (const auto end = sim.elapsed() + d; sim.elapsed() < end;) {
      sim.run_until(std::min(end, sim.elapsed() + 1ms));
      turn();
    }
  }
  void live(duration d) {
    for (const auto end = sim.elapsed() + d; sim.elapsed() < end; run_for(std::chrono::milliseconds{below(20)})) {
      switch (below(8)) {
        case 0: still[below(2)] = true; break;
        case 1: still[below(2)] = false; break;
        case 2: cancel_one(); break;
        default: start(below(3));
      }
    }
  }
  std::size_t unserved(std::size_t loop) const {
    std::size_t n = 0;
    for (const one& o : all) n += o.loop == loop && !o.task->done() ? 1 : 0;
    return n;
  }

  void check() {
    live(250ms);
    still = {true, true};
    const auto waiting = unserved(0);
    run_for(subject.time_for(waiting) + 50ms);
    RC_ASSERT(unserved(0) == 0U);
    live(100ms);
    if (below(3) == 0) {
      const auto i = below(2);
      others[i].reset();  // with all who wait there, or were granted something
      all.remove_if([&](const one& o) { return o.loop == i + 1; });
    }
    still = {false, false};
    run_for(subject.time_for(all.size()) + 100ms);
    for (const one& o : all) RC_ASSERT(o.task->done() && (o.task->succeeded() == o.served));
    RC_ASSERT(in_order);
    subject.check_at_rest(sim);
  }
};

constexpr double rate = 200;

struct shared_limiter {
  std::shared_ptr<basic_rate_limiter<manual_clock>> limiter = std::make_shared<basic_rate_limiter<manual_clock>>(
      rate_limiter_options{.rate = rate, .capacity = 3.0});
  std::shared_ptr<double> taken = std::make_shared<double>(0);
  std::shared_ptr<bool> minted = std::make_shared<bool>(false);
  manual_clock::time_point start = manual_clock::now();

  template <class F>
  awaitable<void> use(std::size_t, F f) const {
    co_await limiter->acquire();
    const double made = 3 + rate * std::chrono::duration<double>(manual_clock::now() - start).count();
    if (++*taken > made + 1e-6) *minted = true;
    f();
  }
  duration time_for(std::size_t n) const {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(static_cast<double>(n + 1) / rate));
  }
  void check_at_rest(simulator& sim) const {
    RC_ASSERT(limiter->waiters() == 0U);
    RC_ASSERT(!*minted);
    sim.run_for(1h);
    RC_ASSERT(limiter->tokens() == 3);
    RC_ASSERT(limiter->is_fresh());
  }
};

struct shared_bulkhead {
  std::shared_ptr<basic_bulkhead<manual_clock>> places =
      std::make_shared<basic_bulkhead<manual_clock>>(bulkhead_options{.limit = 2, .max_queue = 1'000'000});
  std::shared_ptr<int> inside = std::make_shared<int>(0);
  std::shared_ptr<bool> crowded = std::make_shared<bool>(false);

  // A call that has begun keeps its place, whatever its loop does; so those of the others take no time.
  template <class F>
  awaitable<void> use(std::size_t loop, F f) const {
    const auto op = [this, loop, f]() -> awaitable<void> {
      if (++*inside > 2) *crowded = true;
      f();
      if (loop == 0) {
        asio::basic_waitable_timer<manual_clock> timer(co_await asio::this_coro::executor, 3ms);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      }
      --*inside;
    };
    co_await places->call(op);
  }
  duration time_for(std::size_t n) const { return (n + 1) * 10ms; }
  void check_at_rest(simulator&) const {
    RC_ASSERT(!*crowded);
    RC_ASSERT(places->waiting() == 0);
    RC_ASSERT(places->in_flight() == 0);
    RC_ASSERT(places->is_fresh());
  }
};

RC_GTEST_PROP(SeveralLoopsProperty, ALimiterServesWhoeverRuns, (std::uint64_t seed)) {
  world<shared_limiter> w(seed);
  w.check();
}

RC_GTEST_PROP(SeveralLoopsProperty, ABulkheadServesWhoeverRuns, (std::uint64_t seed)) {
  world<shared_bulkhead> w(seed);
  w.check();
}

}  // namespace
}  // namespace dspu::aio
