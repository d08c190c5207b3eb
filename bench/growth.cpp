// How cost grows with waiters and with operations in flight. Prints Markdown tables.
#include "lines.hpp"
#include "measure.hpp"

#include "dspu/aio/gather.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/timeout.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <ranges>
#include <span>
#include <string>
#include <vector>

#include <malloc.h>

namespace dspu::bench {
namespace {

using namespace std::chrono_literals;
using aio::awaitable;
using floors::yield_once;

struct line_result {
  double wall_over_ideal = 0;
  double cpu_us = 0;
  double bytes = 0;
  double p50_us = 0, p99_us = 0;  // late, after the instant at which a perfect limiter would have let it go
  bool in_order = true;
};

struct log_of_releases {
  double first_ask = 0;
  std::vector<double> at;
  bool in_order = true;
};

template <class Limiter>
awaitable<void> wait_in(Limiter& limiter, std::size_t id, log_of_releases& log) {
  if (id == 0) log.first_ask = wall_ns();
  co_await limiter.acquire();
  log.in_order &= id == log.at.size();
  log.at.push_back(wall_ns());
}

template <class Make>
line_result measure_line(std::size_t n, double rate, double burst, Make make) {
  asio::io_context context(1);
  auto limiter = make(context, rate, burst);
  log_of_releases log;
  log.at.reserve(n);
  const auto before = allocations();
  const double cpu = cpu_ns();
  for (std::size_t i = 0; i < n; ++i) asio::co_spawn(context, wait_in(*limiter, i, log), asio::detached);
  context.run();
  if (log.at.size() != n) std::abort();
  const double begin = log.first_ask;  // who is yet to be spawned asks for nothing
  line_result r;
  const auto count = static_cast<double>(n);
  r.cpu_us = (cpu_ns() - cpu) / count / 1e3;
  r.bytes = static_cast<double>(allocations().bytes - before.bytes) / count;
  r.in_order = log.in_order;
  const double ideal = std::max(0.0, count - burst) / rate * 1e9;
  r.wall_over_ideal = ideal > 0 ? (log.at.back() - begin) / ideal : 0;
  std::vector<double> late;
  for (std::size_t i = 0; i < n; ++i) {
    const double due = begin + std::max(0.0, static_cast<double>(i + 1) - burst) / rate * 1e9;
    if (log.at[i] < due) std::abort();  // let go early
    late.push_back((log.at[i] - due) / 1e3);
  }
  std::ranges::sort(late);
  r.p50_us = late[n / 2];
  r.p99_us = late[std::min(n - 1, n * 99 / 100)];
  return r;
}

void print_line(std::string who, std::size_t n, double burst, const line_result& r) {
  char ratio[16] = "";
  if (r.wall_over_ideal > 0 && n >= 1000) std::snprintf(ratio, sizeof ratio, "%.3f", r.wall_over_ideal);
  std::printf("| %s | %zu | %.0f | %s | %.2f | %.0f | %.0f | %.0f | %s |\n", who.c_str(), n, burst, ratio, r.cpu_us,
              r.bytes, r.p50_us, r.p99_us, r.in_order ? "yes" : "no");
  std::fflush(stdout);
}

void lines() {
  constexpr double rate = 200'000;
  std::printf("Waiters on one limiter at %.0f/s, on a context of one thread. CPU and bytes allocated include the spawned\n"
              "coroutine of each waiter. Time counts from when the first of them asks; all ask in one turn of the loop. Late: after\n"
              "the instant at which a perfect limiter would let it go.\n\n", rate);
  std::printf("| who | waiters | bucket | wall / ideal | CPU us each | bytes each | p50 late us | p99 late us | FIFO |\n"
              "|---|--:|--:|--:|--:|--:|--:|--:|---|\n");
  const auto ours = [](asio::io_context&, double r, double burst) {
    return std::make_unique<aio::rate_limiter>(aio::rate_limiter_options{.rate = r, .capacity = burst});
  };
  const auto by_hand = [](asio::io_context& c, double r, double burst) {
    return std::make_unique<floors::line>(c, r, burst);
  };
  const auto timers = [](asio::io_context& c, double r, double burst) {
    return std::make_unique<floors::timer_each>(c, r, burst);
  };
  for (const double burst : {2000.0, 1.0}) {
    for (const std::size_t n : {1, 10, 1'000, 100'000, 1'000'000}) {
      print_line("dspu", n, burst, measure_line(n, rate, burst, ours));
      if (n < 100'000) continue;
      print_line("FIFO by hand, one timer", n, burst, measure_line(n, rate, burst, by_hand));
      print_line("a timer each", n, burst, measure_line(n, rate, burst, timers));
    }
  }
}

awaitable<void> time_out_each(std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) co_await aio::run_with_timeout(yield_once(), 1s);
}
// Different durations, so that deadlines do not come in order.
awaitable<void> time_out_each_otherwise(std::int64_t n, std::int64_t seed) {
  for (std::int64_t i = 0; i < n; ++i) {
    seed = (seed * 1'103'515'245 + 12'345) & 0x7fffffff;
    co_await aio::run_with_timeout(yield_once(), 1h + std::chrono::nanoseconds{seed * 1'000});
  }
}

template <class Start>
sample in_flight(std::int64_t many, Start start) {
  const std::int64_t each = std::max<std::int64_t>(2, 200'000 / many);
  asio::io_context context(1);
  meter m(many * each);
  for (std::int64_t k = 0; k < many; ++k) asio::co_spawn(context, start(each, k), asio::detached);
  context.run();
  return m.end();
}

awaitable<void> gather(std::int64_t n, std::int64_t limit) {
  const auto op = [](std::int64_t) { return yield_once(); };
  auto all = aio::map_with_limit(std::views::iota(std::int64_t{0}, n), op, {.limit = limit});
  co_await std::move(all);
}
sample gather_with(std::int64_t limit) {
  const std::int64_t n = std::max<std::int64_t>(200'000, 2 * limit);
  asio::io_context context(1);
  meter m(n);
  asio::co_spawn(context, gather(n, limit), asio::detached);
  context.run();
  return m.end();
}

void operations() {
  std::printf("\nOperations of one yield in flight, context of one thread, CPU ns an operation (starting the coroutines included).\n\n"
              "| in flight | run_with_timeout, one duration | run_with_timeout, all different | map_with_limit |\n"
              "|--:|--:|--:|--:|\n");
  for (const std::int64_t many : {1, 10, 1'000, 100'000, 1'000'000}) {
    const auto same = in_flight(many, [](std::int64_t n, std::int64_t) { return time_out_each(n); });
    const auto different = in_flight(many, [](std::int64_t n, std::int64_t k) { return time_out_each_otherwise(n, k); });
    const auto g = gather_with(many);
    std::printf("| %lld | %.0f | %.0f | %.0f |\n", static_cast<long long>(many), same.ns, different.ns, g.ns);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace dspu::bench

int main() {
  // Fresh pages cost more than all else here, and whoever came first would pay for them.
  constexpr int piece = 16 << 20;
  mallopt(M_MMAP_THRESHOLD, 2 * piece);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  {
    std::vector<std::vector<char>> pages;
    for (int i = 0; i < 110; ++i) pages.emplace_back(piece, 'x');
    dspu::bench::keep(pages);
  }
  dspu::bench::lines();
  dspu::bench::operations();
}
