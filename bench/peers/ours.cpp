// Our own library at the work items of README.md beside this file. usage: ours ITEM [SUB]
// Prints rows: item variant peer metric unit median min rounds ref
#include "../support.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/gather.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/run_async.hpp"
#include "dspu/aio/sync_to_async.hpp"
#include "dspu/aio/timeout.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ranges>
#include <string>
#include <thread>

using namespace dspu::bench;
using namespace dspu::aio;
using namespace std::chrono_literals;
using dspu::aio::awaitable;

namespace {

constexpr int default_rounds = 9;
constexpr int any_threads = BOOST_ASIO_CONCURRENCY_HINT_DEFAULT;
constexpr int one_thread = 1;

void emit(const char* item, const char* variant, const char* peer, const char* metric, const char* unit,
          std::vector<double> s) {
  if (s.empty()) return;
  std::ranges::sort(s);
  std::printf("%s\t%s\t%s\t%s\t%s\t%.4g\t%.4g\t%zu\t-\n", item, variant, peer, metric, unit, s[s.size() / 2], s[0],
              s.size());
  std::fflush(stdout);
}

__attribute__((noinline)) awaitable<void> noop() { co_return; }
awaitable<void> yield_once() { co_await asio::post(asio::use_awaitable); }

// ns and allocations of `step` awaited n times in one coroutine.
template <class Step>
void awaited(const char* item, const char* variant, const char* peer, int n, Step step, int hint = any_threads) {
  double allocated = 0;
  const auto times = rounds(default_rounds, [&] {
    return on_context(hint, [&]() -> awaitable<double> {
      const auto before = allocations().calls;
      const double t = wall_ns();
      for (int i = 0; i < n; ++i) co_await step();
      const double spent = wall_ns() - t;
      allocated = static_cast<double>(allocations().calls - before) / n;
      co_return spent / n;
    });
  });
  emit(item, variant, peer, "time", "ns/op", times);
  emit(item, variant, peer, "allocs", "1/op", {allocated});
}

void w1() {
  constexpr int n = 2'000'000;
  emit("W1", "admit", "dspu:try_acquire", "time", "ns/op", rounds(default_rounds, [] {
         rate_limiter limiter{{.rate = 1e9, .capacity = 1e6}};
         int ok = 0;
         const double t = wall_ns();
         for (int i = 0; i < n; ++i) {
           ok += limiter.try_acquire();
           forget_what_is_known();
         }
         const double spent = wall_ns() - t;
         if (ok != n) std::abort();
         return spent / n;
       }));
  rate_limiter limiter{{.rate = 1e9, .capacity = 1e6}};
  awaited("W1", "admit", "dspu:co_await acquire", 1'000'000, [&] { return limiter.acquire(); });
}

void w2_one(const char* variant, rate_limiter_options options, int threads, bool drained) {
  constexpr int n = 1'000'000;
  auto times = rounds(default_rounds, [&] {
    rate_limiter limiter{options};
    if (drained) limiter.try_acquire();
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::vector<double> begin(static_cast<std::size_t>(threads));
    std::vector<double> end(begin.size());
    std::vector<std::thread> pool;
    for (std::size_t k = 0; k < begin.size(); ++k) {
      pool.emplace_back([&, k] {
        ++ready;
        while (!go) {
        }
        begin[k] = wall_ns();
        int ok = 0;
        for (int i = 0; i < n; ++i) {
          ok += limiter.try_acquire();
          forget_what_is_known();
        }
        end[k] = wall_ns();
        keep(ok);
      });
    }
    while (ready < threads) {
    }
    go = true;
    for (auto& t : pool) t.join();
    return std::ranges::max(end) - std::ranges::min(begin);
  });
  for (auto& v : times) v /= n;
  emit("W2", variant, "dspu:try_acquire", "time per thread-op", "ns/op", times);
  for (auto& v : times) v = threads * 1e3 / v;
  emit("W2", variant, "dspu:try_acquire", "throughput", "Mop/s", times);
}

void w2() {
  w2_one("admit-2thr", {.rate = 1e9, .capacity = 1e9}, 2, false);
  w2_one("reject-1thr", {.rate = 1e-6, .capacity = 1.0}, 1, true);
  w2_one("reject-2thr", {.rate = 1e-6, .capacity = 1.0}, 2, true);
}

awaitable<void> wait_in_line(rate_limiter& limiter, int id, int& next, bool& fifo, double& last) {
  co_await limiter.acquire();
  if (id != next) fifo = false;
  ++next;
  last = wall_ns();
}

void w3_one(const char* variant, double burst, int hint, const char* peer) {
  constexpr int n = 100'000;
  constexpr double rate = 200'000;
  const double ideal = (n - burst) / rate;
  std::vector<double> wall;
  std::vector<double> cpu;
  bool fifo = true;
  double memory = 0;
  double calls = 0;
  double bytes = 0;
  for (int round = 0; round < 6; ++round) {
    const double resident = current_rss_bytes();
    {
      asio::io_context context(hint);
      rate_limiter limiter{{.rate = rate, .capacity = burst}};
      int next = 0;
      const auto before = allocations();
      const double t0 = wall_ns();
      const double c0 = cpu_ns();
      double last = t0;
      for (int i = 0; i < n; ++i) {
        asio::co_spawn(context, wait_in_line(limiter, i, next, fifo, last), asio::detached);
      }
      context.run();
      if (next != n) std::abort();
      if (last - t0 < ideal * 1e9 * 0.9999) std::fprintf(stderr, "# W3 ours finished early\n");
      if (round > 0) {
        wall.push_back((last - t0) / 1e9 / ideal);
        cpu.push_back((cpu_ns() - c0) / n / 1e3);
      }
      calls = static_cast<double>(allocations().calls - before.calls) / n;
      bytes = static_cast<double>(allocations().bytes - before.bytes) / n;
    }
    if (round == 0) memory = (peak_rss_bytes() - resident) / n;
  }
  emit("W3", variant, peer, "wall/ideal", "x", wall);
  emit("W3", variant, peer, "cpu per waiter", "us", cpu);
  emit("W3", variant, peer, "peak RSS per waiter", "B", {memory});
  emit("W3", variant, peer, "allocs", "1/op", {calls});
  emit("W3", variant, peer, "alloc-bytes", "B/op", {bytes});
  emit("W3", variant, peer, "fifo", "bool", {fifo ? 1.0 : 0.0});
}

void w3(const char* which) {
  switch (which[0]) {
    case 'a': return w3_one("burst2000", 2000, any_threads, "dspu:acquire");
    case 'b': return w3_one("burst1", 1, any_threads, "dspu:acquire");
    case 'c': return w3_one("burst2000", 2000, one_thread, "dspu:acquire(hint 1)");
    default: return w3_one("burst1", 1, one_thread, "dspu:acquire(hint 1)");
  }
}

void w4() {
  constexpr int n = 1'000'000;
  circuit_breaker breaker;
  awaited("W4", "closed", "dspu:call", n, [&] { return breaker.call(noop); });
  {
    const auto times = rounds(default_rounds, [&] {
      return on_context(any_threads, [&]() -> awaitable<double> {
        const double t = wall_ns();
        for (int i = 0; i < n; ++i) {
          auto permit = breaker.try_permit();
          if (!permit) std::abort();
          co_await noop();
          permit.success();
        }
        co_return (wall_ns() - t) / n;
      });
    });
    emit("W4", "closed", "dspu:inline permit", "time", "ns/op", times);
  }
  circuit_breaker open{{.failure_threshold = 1, .timeout = 24h}};
  open.try_permit().failure();
  emit("W4", "open", "dspu:inline permit", "time", "ns/op", rounds(default_rounds, [&] {
         int refused = 0;
         const double t = wall_ns();
         for (int i = 0; i < n; ++i) {
           refused += !open.try_permit();
           forget_what_is_known();
         }
         const double spent = wall_ns() - t;
         if (refused != n) std::abort();
         return spent / n;
       }));
  awaited("W4", "open", "dspu:call, exception", n / 10, [&]() -> awaitable<void> {
    try {
      co_await open.call(noop);
      std::abort();
    } catch (const circuit_breaker_error&) {
    }
  });
}

void w5() {
  const retry again;
  awaited("W5", "success", "dspu:retry", 1'000'000, [&] { return again.call(noop); });
}

void w6(const char* which) {
  const bool yields = which[0] != 'a';
  const int n = yields ? 100'000 : 1'000'000;
  const int hint = which[0] == 'c' ? one_thread : any_threads;
  double allocated = 0;
  double memory = -1;
  const auto times = rounds(default_rounds, [&] {
    const double resident = current_rss_bytes();
    const double ns = on_context(hint, [&]() -> awaitable<double> {
      const auto before = allocations().calls;
      const double t = wall_ns();
      const auto op = [=](int) { return yields ? yield_once() : noop(); };
      co_await map_with_limit(std::views::iota(0, n), op, {.limit = 64});
      allocated = static_cast<double>(allocations().calls - before) / n;
      co_return (wall_ns() - t) / n;
    });
    if (memory < 0) memory = peak_rss_bytes() - resident;
    return ns;
  });
  const char* variant = yields ? "yield-100k" : "ready-1M";
  const char* peer = hint == one_thread ? "dspu:map_with_limit(hint 1)" : "dspu:map_with_limit";
  emit("W6", variant, peer, "time", "ns/op", times);
  emit("W6", variant, peer, "allocs", "1/op", {allocated});
  emit("W6", variant, peer, "peak RSS", "MB", {memory / 1e6});
}

void w7() {
  constexpr int n = 192'000;
  for (const int hint : {any_threads, one_thread}) {
    for (const int in_flight : {1, 64}) {
      double allocated = 0;
      const auto loop = [](int times) -> awaitable<void> {
        for (int i = 0; i < times; ++i) co_await run_with_timeout(yield_once(), 1s);
      };
      const auto times = rounds(default_rounds, [&] {
        asio::io_context context(hint);
        asio::steady_timer keeper(context, 3600s);
        keeper.async_wait([](error_code) {});
        int left = in_flight;
        const auto before = allocations().calls;
        const double t = wall_ns();
        for (int k = 0; k < in_flight; ++k) {
          asio::co_spawn(context, loop(n / in_flight), [&](std::exception_ptr e) {
            if (e) std::rethrow_exception(e);
            if (--left == 0) keeper.cancel();
          });
        }
        context.run();
        allocated = static_cast<double>(allocations().calls - before) / n;
        return (wall_ns() - t) / n;
      });
      const char* variant = in_flight == 1 ? "sequential" : "64-in-flight";
      const char* peer = hint == one_thread ? "dspu:run_with_timeout(hint 1)" : "dspu:run_with_timeout";
      emit("W7", variant, peer, "time", "ns/op", times);
      emit("W7", variant, peer, "allocs", "1/op", {allocated});
    }
  }
}

int one() { return 1; }

void w8() {
  asio::thread_pool pool(2);
  const auto each = [&](int n) -> awaitable<void> {
    for (int i = 0; i < n; ++i) co_await sync_to_async(pool, one);
  };
  double allocated = 0;
  constexpr int n = 20'000;
  const auto alone = rounds(default_rounds, [&] {
    return on_context(any_threads, [&]() -> awaitable<double> {
      const auto before = allocations().calls;
      const double t = wall_ns();
      co_await each(n);
      const double spent = wall_ns() - t;
      allocated = static_cast<double>(allocations().calls - before) / n;
      co_return spent / n / 1e3;
    });
  });
  emit("W8", "sequential", "dspu:sync_to_async", "round trip", "us", alone);
  emit("W8", "sequential", "dspu:sync_to_async", "allocs(loop thread)", "1/op", {allocated});
  constexpr int many = 192'000;
  const auto together = rounds(default_rounds, [&] {
    asio::io_context context(any_threads);
    const double t = wall_ns();
    for (int i = 0; i < 64; ++i) asio::co_spawn(context, each(many / 64), asio::detached);
    context.run();
    return (wall_ns() - t) / many / 1e3;
  });
  emit("W8", "64-in-flight", "dspu:sync_to_async", "per op", "us", together);
}

void w9() {
  constexpr int n = 200'000;
  double allocated = 0;
  const auto here = rounds(default_rounds, [&] {
    const auto before = allocations().calls;
    const double t = wall_ns();
    for (int i = 0; i < n; ++i) run_async(noop());
    const double spent = wall_ns() - t;
    allocated = static_cast<double>(allocations().calls - before) / n;
    return spent / n;
  });
  emit("W9", "run-to-completion", "dspu:run_async", "time", "ns/op", here);
  emit("W9", "run-to-completion", "dspu:run_async", "allocs", "1/op", {allocated});
  asio::io_context context;
  auto guard = asio::make_work_guard(context);
  std::thread loop([&] { context.run(); });
  const auto across = rounds(default_rounds, [&] {
    constexpr int m = 20'000;
    const double t = wall_ns();
    for (int i = 0; i < m; ++i) run_async(noop(), context);
    return (wall_ns() - t) / m;
  });
  guard.reset();
  loop.join();
  emit("W9", "cross-thread", "dspu:run_async(op, context)", "time", "ns/op", across);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string item = argc > 1 ? argv[1] : "";
  const char* sub = argc > 2 ? argv[2] : "a";
  if (item != "W3" && item != "W6") {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 2000 << 20);
    mallopt(M_TOP_PAD, 64 << 20);
  }
  if (item == "W1") w1();
  else if (item == "W2") w2();
  else if (item == "W3") w3(sub);
  else if (item == "W4") w4();
  else if (item == "W5") w5();
  else if (item == "W6") w6(sub);
  else if (item == "W7") w7();
  else if (item == "W8") w8();
  else if (item == "W9") w9();
  else if (item == "W0" || item == "X1" || item == "X2") return 0;
  else return 2;
}
