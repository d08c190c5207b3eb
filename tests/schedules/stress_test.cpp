// Real threads on every policy object, with cancellations from the right strands, for the thread sanitizer
// and for the promises that hold whatever the schedule: counts add up, everything ends, each coroutine stays
// on its own strand.
#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/adaptive_rate.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/gather.hpp"
#include "dspu/aio/hedge.hpp"
#include "dspu/aio/keyed.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/shield.hpp"
#include "dspu/aio/single_flight.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/core/random.hpp"

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <deque>
#include <future>
#include <ranges>
#include <thread>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using strand = asio::strand<asio::thread_pool::executor_type>;
using clock = std::chrono::steady_clock;

constexpr unsigned pool_threads = 4;

struct failed : std::runtime_error {
  failed() : runtime_error("stress") {}
};

// Hops through the event loop, then fails or not.
awaitable<int> hops(int count, bool fails) {
  for (int i = 0; i < count; ++i) co_await asio::post(asio::use_awaitable);
  if (fails) throw failed();
  co_return count;
}

// Coroutines on strands of their own, one in `one_in` of them cancelled from its strand at some moment.
class storm {
 public:
  explicit storm(int one_in) : one_in_(one_in) {}

  void start(strand own, awaitable<void> body) {
    auto& j = jobs_.emplace_back(own);
    left_.fetch_add(1);
    asio::co_spawn(own, std::move(body),
                   asio::bind_cancellation_slot(j.signal.slot(), [this, &j](std::exception_ptr) {
                     j.done = true;
                     left_.fetch_sub(1);
                   }));
    if (random_() % static_cast<unsigned>(one_in_) != 0) return;
    cancel_after(j, static_cast<int>(random_() % 40));
  }
  strand new_strand() { return asio::make_strand(pool_); }
  core::random_source& random() { return random_; }

  // Until all have ended.
  void wait() {
    pool_.wait();
    EXPECT_EQ(left_, 0);
  }

 private:
  struct job {
    explicit job(strand s) : own(std::move(s)) {}
    strand own;
    asio::cancellation_signal signal;
    bool done = false;  // touched on `own` only
  };

  static void cancel_after(job& j, int turns) {
    asio::post(j.own, [&j, turns] {
      if (j.done) return;
      if (turns > 0) return cancel_after(j, turns - 1);
      j.signal.emit(asio::cancellation_type::terminal);
    });
  }

  const int one_in_;
  core::random_source random_{42};
  std::atomic<int> left_{0};
  asio::thread_pool pool_{pool_threads};
  std::deque<job> jobs_;  // after the pool: their strands must go first
};

awaitable<void> take(rate_limiter& l, strand own, std::atomic<int>& granted, std::atomic<int>& astray) {
  co_await l.acquire();
  ++granted;
  if (!own.running_in_this_thread()) ++astray;
}

TEST(LimiterStressWallClock, ConservesTokensAndKeepsEveryoneOnTheirStrand) {
  rate_limiter l{{.rate = 20'000, .capacity = 100.0}};
  std::atomic<int> granted{0};
  std::atomic<int> astray{0};
  std::atomic<bool> over{false};
  const auto begin = clock::now();
  std::thread barger([&] {
    while (!over) {
      if (l.try_acquire(2)) granted += 2;
      std::this_thread::yield();
    }
  });
  storm s(3);
  for (int i = 0; i < 3000; ++i) {
    const auto own = s.new_strand();
    s.start(own, take(l, own, granted, astray));
  }
  s.wait();
  over = true;
  barger.join();
  const double most = 100 + 20'000 * std::chrono::duration<double>(clock::now() - begin).count();
  EXPECT_LE(granted, most);
  EXPECT_GE(granted, 100);
  EXPECT_EQ(astray, 0);
  EXPECT_EQ(l.waiters(), 0U);
}

awaitable<void> take_by(rate_limiter& l, int kind, std::atomic<int>& granted, std::atomic<int>& refused) {
  const acquire_options options{.deadline = kind % 2 == 0
                                    ? std::nullopt
                                    : std::optional(core::instant_of(clock::now() + 5ms * (kind % 7))),
                                .priority = static_cast<priority>(kind % 3)};
  try {
    co_await l.acquire(1, options);
    ++granted;
  } catch (const deadline_error&) {
    ++refused;
  }
}

TEST(LimiterStressWallClock, KeepsItsPromisesWhileOthersChangeIt) {
  rate_limiter l{{.rate = 20'000, .capacity = 100.0, .count_all = true}};
  std::atomic<int> granted{0};
  std::atomic<int> refused{0};
  std::atomic<bool> over{false};
  const auto begin = clock::now();
  std::thread barger([&] {
    while (!over) {
      if (l.try_acquire()) ++granted;
      std::this_thread::yield();
    }
  });
  std::thread changer([&] {
    for (int i = 0; !over; ++i) {  // more changes than it keeps lanes for, before long
      l.set_rate(i % 2 == 0 ? 20'000 : 5'000);
      auto place = l.reserve(3);
      if (i % 5 == 0) l.set_capacity(50 + i % 50);
      if (i % 64 == 0) l.drain();
      if (place.use()) granted += 3;
      static_cast<void>(l.statistics());
      std::this_thread::sleep_for(100us);
    }
  });
  storm s(5);
  for (int i = 0; i < 3000; ++i) s.start(s.new_strand(), take_by(l, i, granted, refused));
  s.wait();
  over = true;
  barger.join();
  changer.join();
  const double most = 100 + 20'000 * std::chrono::duration<double>(clock::now() - begin).count();
  EXPECT_LE(granted, most);
  EXPECT_GE(granted, 50);
  EXPECT_EQ(l.waiters(), 0U);
  l.set_capacity(10);
  std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(l.try_acquire(10)) << "nothing was lost for good";
}

TEST(LimiterStressWallClock, SurvivesItsContexts) {
  rate_limiter l{{.rate = 5'000, .capacity = 10.0}};
  std::atomic<int> granted{0};
  std::atomic<int> astray{0};
  for (int round = 0; round < 30; ++round) {
    asio::thread_pool doomed(2);
    for (int i = 0; i < 20; ++i) {
      const auto own = asio::make_strand(doomed);
      asio::co_spawn(own, take(l, own, granted, astray), asio::detached);
    }
    doomed.stop();
  }
  EXPECT_EQ(l.waiters(), 0U);
  asio::thread_pool after(1);
  asio::co_spawn(after, l.acquire(10), asio::use_future).get();
}

// Event loops of a thread each, that share what they wait for and block now and then for longer than others wait for them.
class blocking_loops {
 public:
  static constexpr std::size_t count = 4;

  // On each loop, `of_each` coroutines of `body(loop, i)`. Each loop blocks `blocks` times, and cancels one of them each
  // time.
  template <class Body>
  void run(int of_each, int blocks, const Body& body) {
    for (std::size_t loop = 0; loop < count; ++loop) {
      threads_.emplace_back([this, loop, of_each, blocks, &body] { run_one(loop, of_each, blocks, body); });
    }
    threads_.clear();
  }

 private:
  template <class Body>
  void run_one(std::size_t loop, int of_each, int blocks, const Body& body) {
    core::random_source random(loop + 1);
    asio::io_context context{1};
    struct job {
      asio::cancellation_signal signal;
      bool done = false;
    };
    std::deque<job> jobs;
    for (int i = 0; i < of_each; ++i) {
      auto& j = jobs.emplace_back();
      asio::co_spawn(context, body(loop, i),
                     asio::bind_cancellation_slot(j.signal.slot(), [&j](std::exception_ptr) { j.done = true; }));
    }
    int left = blocks;
    asio::steady_timer next(context);
    const std::function<void()> block = [&] {
      auto& j = jobs[random() % jobs.size()];
      if (!j.done) j.signal.emit(asio::cancellation_type::terminal);
      std::this_thread::sleep_for(std::chrono::milliseconds{random() % 30});
      if (--left == 0) return;
      next.expires_after(std::chrono::milliseconds{random() % 10});
      next.async_wait([&](boost::system::error_code) { block(); });
    };
    asio::post(context, block);
    context.run();
  }

  std::vector<std::jthread> threads_;
};

TEST(SeveralLoopsStressWallClock, LoseNoTokenAndNobodyWhoWaits) {
  rate_limiter l{{.rate = 2'000, .capacity = 10.0}};
  std::atomic<int> granted{0};
  const auto begin = clock::now();
  const auto body = [&](std::size_t, int) -> awaitable<void> {
    co_await l.acquire();
    ++granted;
  };
  blocking_loops().run(300, 20, body);
  EXPECT_LE(granted, 10 + 2'000 * std::chrono::duration<double>(clock::now() - begin).count());
  EXPECT_EQ(l.waiters(), 0U);
}

TEST(SeveralLoopsStressWallClock, LoseNoPlace) {
  bulkhead b{{.limit = 3, .max_queue = 10'000}};
  adaptive_concurrency a{{.initial = 3, .max_queue = 10'000}};
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  const auto op = [&]() -> awaitable<void> {
    most = std::max(most.load(), ++inside);
    co_await asio::post(asio::use_awaitable);
    --inside;
  };
  const auto body = [&](std::size_t, int) -> awaitable<void> {
    co_await b.call(op);
    co_await a.call([]() -> awaitable<int> { return hops(2, false); });
  };
  blocking_loops().run(300, 20, body);
  EXPECT_LE(most, 3);
  EXPECT_EQ(b.in_flight(), 0);
  EXPECT_EQ(b.waiting(), 0);
  EXPECT_EQ(a.in_flight(), 0);
  EXPECT_EQ(a.waiting(), 0);
}

// A listener that is told one change at a time, in order, by whatever thread.
struct listening {
  circuit_state last = circuit_state::closed;
  int gaps = 0;
  void hear(circuit_state from, circuit_state to) {
    gaps += from != last ? 1 : 0;
    last = to;
  }
};

TEST(BreakerStressWallClock, AdmitsNoMoreProbesThanItMayAndTellsOfChangesInOrder) {
  listening log;
  circuit_breaker b{{.failure_threshold = 3,
                     .success_threshold = 2,
                     .timeout = 20us,
                     .on_state_change = [&](circuit_state from, circuit_state to) { log.hear(from, to); }}};
  const auto hammer = [&](std::uint64_t seed) {
    core::random_source random(seed);
    for (int i = 0; i < 8000; ++i) {
      if (random() % 500 == 0) b.reset();
      if (random() % 50 == 0) static_cast<void>(b.state());
      auto permit = b.try_permit();
      if (!permit || random() % 8 == 0) continue;  // some are lost
      permit.settle(random() % 2 == 0 ? verdict::failure : verdict::success);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 1; seed <= pool_threads; ++seed) threads.emplace_back(hammer, seed);
  for (auto& t : threads) t.join();
  EXPECT_EQ(log.gaps, 0);
  EXPECT_EQ(log.last, b.state());
  b.reset();
  EXPECT_TRUE(b.try_permit());
}

// An operation that knows how many of it run in the half-open breaker.
awaitable<void> probe(std::atomic<int>& running, std::atomic<int>& most) {
  const int now = ++running;
  for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
  }
  co_await asio::post(asio::use_awaitable);
  --running;
}

TEST(BreakerStressWallClock, LetsInItsProbesOnlyWhenManyComeAtTheExpiry) {
  for (int round = 0; round < 60; ++round) {
    circuit_breaker b{
        {.failure_threshold = 1, .success_threshold = 1000, .timeout = 0ns, .half_open_max_calls = 2}};
    b.try_permit().failure();
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    const auto op = [&] { return probe(running, most); };
    storm s(1000);
    for (int i = 0; i < 16; ++i) {
      auto call = b.call(op);
      s.start(s.new_strand(), std::move(call));
    }
    s.wait();
    EXPECT_LE(most, 2);
    EXPECT_EQ(b.state(), circuit_state::half_open);
    EXPECT_TRUE(b.try_permit()) << "no probe's place is lost";
  }
}

template <class T>
awaitable<void> drop(awaitable<T> op) {
  co_await std::move(op);
}

awaitable<void> gather_some(int seed) {
  const auto one = [seed](int i) { return hops(i % 4, seed % 5 == 0 && i == 17); };
  constexpr gather_options four{.limit = 4};
  co_await map_with_limit(std::views::iota(0, 24), one, four);
}
awaitable<int> slow(duration d) {
  asio::steady_timer timer(co_await asio::this_coro::executor, d);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 1;
}

TEST(ChildrenStressWallClock, EndWhateverIsCancelledWhen) {
  std::atomic<int> reported{0};
  shield_scope scope([&](std::exception_ptr) { ++reported; });
  storm s(2);
  for (int i = 0; i < 150; ++i) {
    s.start(s.new_strand(), gather_some(i));
    s.start(s.new_strand(), drop(run_with_timeout(slow(1h), std::chrono::microseconds{i * 7})));
    s.start(s.new_strand(), drop(run_with_timeout(hops(i % 30, i % 7 == 0), 1h)));
    s.start(s.new_strand(), drop(scope.run(hops(i % 10, i % 3 == 0))));
    s.start(s.new_strand(), drop(run_with_timeout(scope.run(hops(i % 10, false)), 50us)));
    s.start(s.new_strand(), scope.join());
  }
  s.wait();
  EXPECT_EQ(scope.outstanding(), 0U);
}

// Not on strands: the parent's executor is the pool itself, and the children get strands of their own.
TEST(ChildrenStressWallClock, EndOnABarePool) {
  asio::thread_pool pool(pool_threads);
  std::vector<std::future<void>> all;
  for (int i = 0; i < 60; ++i) {
    auto bounded = run_with_timeout(gather_some(i), std::chrono::microseconds{100 + i * 20});
    all.push_back(asio::co_spawn(pool, std::move(bounded), asio::use_future));
  }
  int ended = 0;
  for (auto& f : all) {
    try {
      f.get();
    } catch (const async_timeout_error&) {
    } catch (const failed&) {
    }
    ++ended;
  }
  EXPECT_EQ(ended, 60);
}

// Of what a call begins nothing may be left when it is over, on a strand as on a bare pool.
awaitable<int> hops_counted(std::atomic<int>& running, int count, bool fails) {
  struct count_down {
    std::atomic<int>& n;
    ~count_down() { --n; }
  };
  ++running;
  const count_down at_the_end{running};
  auto hopping = hops(count, fails);
  co_return co_await std::move(hopping);
}
template <class P>
awaitable<void> hedge_once(const P& p, int i, std::atomic<int>& astray) {
  std::atomic<int> running{0};
  const auto op = [&running, i](const call_context& c) {
    const auto which = static_cast<int>(c.hedge);
    return hops_counted(running, (i * 7 + which * 13) % 40, (i + which) % 5 == 0);
  };
  std::exception_ptr error;
  try {
    auto call = p.call(op);
    co_await std::move(call);
  } catch (...) {
    error = std::current_exception();
  }
  astray += running;
  if (error) std::rethrow_exception(error);
}

TEST(HedgeStressWallClock, LeavesNothingRunningWhateverIsCancelledWhen) {
  hedge h({.max_hedges = 3, .delay = 20us, .quantile = 0.5, .min_delay = 1us});
  circuit_breaker b({.failure_threshold = 1'000'000});
  const auto p = timeout(1h) | h | b | timeout(2ms);
  std::atomic<int> astray{0};
  storm s(3);
  for (int i = 0; i < 600; ++i) s.start(s.new_strand(), hedge_once(p, i, astray));
  s.wait();
  asio::thread_pool pool(pool_threads);
  std::atomic<bool> over{false};
  std::thread changer([&] {
    for (int i = 0; !over; ++i) {
      h.reconfigure({.max_hedges = i % 4, .delay = 20us, .window = 1s * (1 + i % 3)});
      std::this_thread::sleep_for(50us);
    }
  });
  const auto on_the_pool = h | b | timeout(2ms);
  const auto swallow = [](std::exception_ptr) {};
  for (int i = 0; i < 600; ++i) {
    auto call = hedge_once(on_the_pool, i, astray);
    if (i % 2 == 0) call = run_with_timeout(std::move(call), std::chrono::microseconds{50 + i});
    asio::co_spawn(pool, std::move(call), swallow);
  }
  pool.wait();
  over = true;
  changer.join();
  EXPECT_EQ(astray, 0);
  EXPECT_GT(h.hedges(), 0);
  EXPECT_GE(h.hedges(), h.wins());
}

// More keys than there is room for, from many threads, some held for a while, while the options change.
TEST(KeyedStressWallClock, KeepsItsBoundAndLosesNoPolicyInUse) {
  constexpr std::size_t most = 24;
  constexpr double tokens = 3;
  keyed<rate_limiter> all{{.rate = 1e-3, .capacity = tokens}, {.max_keys = most, .shards = 4}};
  std::atomic<int> beyond{0};
  std::array<std::atomic<int>, 12> spent{};  // of keys that are never full again, and so never forgotten
  const auto hammer = [&](std::uint64_t seed) {
    core::random_source random(seed);
    std::vector<keyed<rate_limiter>::handle> held;
    for (int i = 0; i < 4000; ++i) {
      try {
        if (random() % 4 == 0) {
          const auto which = random() % spent.size();
          const auto limiter = all.get("spent " + std::to_string(which));
          if (limiter->try_acquire()) ++spent[which];
        } else {
          const auto limiter = all.get("full " + std::to_string(random() % 40));
          beyond += limiter->tokens() == tokens ? 0 : 1;
          if (random() % 8 == 0) held.push_back(limiter);
        }
      } catch (const too_many_keys_error&) {
      }
      if (held.size() > 3) held.erase(held.begin());
      beyond += all.size() > most ? 1 : 0;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 1; seed <= pool_threads; ++seed) threads.emplace_back(hammer, seed);
  for (int i = 0; i < 50; ++i) {
    all.for_each([](const std::string&, rate_limiter& l) { static_cast<void>(l.tokens()); });
    static_cast<void>(all.statistics());
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(beyond, 0);
  for (const auto& s : spent) EXPECT_LE(s, tokens) << "a limiter was forgotten with its debt";
  const auto s = all.statistics();
  EXPECT_EQ(s.created, s.keys + s.evicted);
  EXPECT_GT(s.evicted, 0U);
}

awaitable<void> call_by_key(keyed<circuit_breaker>& all, std::string key, int seed) {
  const auto op = [seed] { return hops(seed % 5, seed % 6 == 0); };
  try {
    co_await all.call(key, op);
  } catch (const failed&) {
  } catch (const error&) {
  }
}

TEST(KeyedStressWallClock, ComesToRestWithEveryKeyAsNewOrCounted) {
  keyed<circuit_breaker> all{{.failure_threshold = 2, .success_threshold = 1, .timeout = 50us},
                             {.max_keys = 8, .shards = 3, .overflow_key = "others"}};
  std::atomic<bool> over{false};
  std::thread changer([&] {
    for (int i = 0; !over; ++i) {
      all.reconfigure({.failure_threshold = 2 + i % 2, .success_threshold = 1, .timeout = 50us});
      std::this_thread::yield();
    }
  });
  storm s(4);
  for (int i = 0; i < 2000; ++i) s.start(s.new_strand(), call_by_key(all, std::to_string(i * 7 % 31), i));
  s.wait();
  over = true;
  changer.join();
  all.for_each([](const std::string& key, circuit_breaker& b) {
    b.reset();
    EXPECT_TRUE(b.is_fresh()) << key;
  });
  for (int i = 0; i < 100; ++i) EXPECT_NE(all.get("new " + std::to_string(i)).key(), "others");
  EXPECT_EQ(all.size(), 8U);
}

TEST(AdaptiveConcurrencyStressWallClock, GivesEveryPlaceBack) {
  adaptive_concurrency width({.algorithm = limit_algorithm::vegas, .initial = 4, .max = 64, .max_queue = 10'000});
  const auto p = width | timeout(1ms);
  std::atomic<bool> over{false};
  std::thread changer([&] {
    for (int i = 0; !over; ++i) {
      width.reconfigure({.algorithm = i % 2 == 0 ? limit_algorithm::aimd : limit_algorithm::gradient2,
                         .max = 40 + i % 20,
                         .gradient2 = {.window = 100us},
                         .max_queue = 10'000,
                         .shadow = i % 7 == 0});
      std::this_thread::sleep_for(100us);
    }
  });
  storm s(4);
  for (int i = 0; i < 2000; ++i) {
    const auto op = [i] { return hops(i % 40, i % 5 == 0); };
    s.start(s.new_strand(), drop(p.call(op)));
  }
  s.wait();
  over = true;
  changer.join();
  EXPECT_EQ(width.in_flight(), 0);
  EXPECT_EQ(width.waiting(), 0);
  EXPECT_GE(width.limit(), 1);
}

TEST(AdaptiveRateStressWallClock, LeavesNobodyInItsQueue) {
  adaptive_rate pace({.initial_rate = 20'000, .min_rate = 10'000});
  const auto p = pace | timeout(1ms);
  std::atomic<bool> over{false};
  std::thread changer([&] {
    for (int i = 0; !over; ++i) {
      pace.reconfigure({.min_rate = 10'000.0 + i % 20, .max_rate = 50'000, .shadow = i % 7 == 0});
      std::this_thread::sleep_for(100us);
    }
  });
  storm s(4);
  for (int i = 0; i < 2000; ++i) {
    const auto op = [i] { return hops(i % 40, i % 5 == 0); };
    s.start(s.new_strand(), drop(p.call(op)));
  }
  s.wait();
  over = true;
  changer.join();
  const auto after = pace.statistics();
  EXPECT_EQ(after.in_flight, 0);
  EXPECT_EQ(after.waiting, 0U);
}

TEST(SingleFlightStressWallClock, LeavesNoRunBehindWhoeverLeavesWhen) {
  single_flight<int, std::vector<int>> once;
  std::atomic<int> running{0};
  const auto fly = [&](int i) -> awaitable<void> {
    const auto op = [&running, i]() -> awaitable<std::vector<int>> {
      auto counted = hops_counted(running, 5 + i % 20, i % 9 == 0);
      const int n = co_await std::move(counted);
      co_return std::vector<int>(static_cast<std::size_t>(n), n);
    };
    const auto result = co_await once.call(i % 5, op);
    if (result.empty() || static_cast<std::size_t>(result.front()) != result.size()) std::abort();
  };
  storm s(2);
  for (int i = 0; i < 2000; ++i) s.start(s.new_strand(), fly(i));
  s.wait();
  EXPECT_EQ(running, 0);
  EXPECT_EQ(once.in_flight(), 0U);

  asio::thread_pool pool(pool_threads);
  const auto swallow = [](std::exception_ptr) {};
  for (int i = 0; i < 1000; ++i) {
    auto bounded = run_with_timeout(fly(i), std::chrono::microseconds{20 + i});
    asio::co_spawn(pool, std::move(bounded), swallow);
    asio::co_spawn(pool, fly(i), swallow);
  }
  pool.wait();
  EXPECT_EQ(running, 0);
  EXPECT_EQ(once.in_flight(), 0U);
}

TEST(SingleFlightStressWallClock, SurvivesItsContexts) {
  single_flight<int, int> once;
  std::atomic<int> running{0};
  const auto fly = [&](int key) -> awaitable<void> {
    const auto op = [&running] { return hops_counted(running, 1000, false); };
    co_await once.call(key, op);
  };
  for (int round = 0; round < 30; ++round) {
    asio::thread_pool survivor(1);
    std::atomic<int> got{0};
    {
      asio::thread_pool doomed(2);
      for (int i = 0; i < 8; ++i) asio::co_spawn(doomed, fly(i % 2), asio::detached);
      for (int i = 0; i < 4; ++i) {
        asio::co_spawn(survivor, fly(i % 2), [&got](std::exception_ptr e) { got += e ? 0 : 1; });
      }
      doomed.stop();
    }
    survivor.wait();
    EXPECT_EQ(got, 4) << "who waited on another context has run its own";
  }
  EXPECT_EQ(running, 0);
  EXPECT_EQ(once.in_flight(), 0U);
}

TEST(PipelineStressWallClock, ComesToRestWithEverythingConserved) {
  rate_limiter l{{.rate = 50'000, .capacity = 50.0}};
  std::atomic<bool> telling{false};
  std::atomic<int> overlaps{0};
  const auto listener = [&](circuit_state, circuit_state) -> awaitable<void> {
    overlaps += telling.exchange(true) ? 1 : 0;
    co_await asio::post(asio::use_awaitable);
    telling = false;
  };
  circuit_breaker b{
      {.failure_threshold = 4, .success_threshold = 2, .timeout = 100us, .on_state_change = listener}};
  const retry again{{.max_attempts = 4, .base_delay = 20us, .max_delay = 200us}};
  storm s(4);
  for (int i = 0; i < 600; ++i) {
    const auto op = [i] { return run_with_timeout(hops(i % 5, i % 3 == 0), 1h); };
    const auto limited = [&l, op] { return l.call(op); };
    const auto guarded = [&b, limited] { return b.call(limited); };
    s.start(s.new_strand(), drop(again.call(guarded)));
  }
  s.wait();
  EXPECT_EQ(l.waiters(), 0U);
  EXPECT_EQ(overlaps, 0) << "a listener is told one change at a time";
  b.reset();
  EXPECT_TRUE(b.try_permit());
}

}  // namespace
}  // namespace dspu::aio
