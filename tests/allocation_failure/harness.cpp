#include "allocation_failure/harness.hpp"

#include "support/allocations.hpp"

#include <new>
#include <thread>

namespace dspu::aio::proof {

namespace {

constexpr std::int64_t too_many = 10'000;

std::string describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

// Only what the scenario does is to fail, not what surrounds it.
awaitable<void> run_body(world& w, awaitable<void> (*body)(world&), std::int64_t n, bool* failed) {
  const counted here(w.frames);
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  std::exception_ptr error;
  test::fail_allocation(n);
  try {
    auto running = body(w);
    co_await std::move(running);
  } catch (...) {
    error = std::current_exception();
  }
  *failed = test::stop_failing();
  if (error) std::rethrow_exception(error);
}

// Runs handlers until the scenario has ended or nothing is left to run.
void run_to_the_end(world& w) {
  auto& loop = w.sim->context();
  while (!w.main->done()) {
    loop.restart();
    try {
      if (loop.poll_one() > 0) continue;
    } catch (...) {
      const test::allocations_spared spare;
      w.complain("an error left the event loop: " + describe(std::current_exception()));
    }
    const test::allocations_spared spare;
    if (!w.sim->advance()) return;
    std::this_thread::yield();  // a thread of a pool may be at work
  }
}

void finish(world& w, const scenario& s) {
  if (!w.main->done()) {
    w.complain("it never ended");
    return;
  }
  if (!s.detaches) {
    if (w.frames != 0 || w.callbacks != 0) w.complain("it ended before what it had started");
    w.ended = true;
  }
  const auto& error = w.main->error();
  if (error && !test::holds<std::bad_alloc>(error)) w.complain("it ended with another error: " + describe(error));
  w.sim->run();
  w.check_conserved();
  w.check_usable();
}

}  // namespace

bool fail_at(const scenario& s, int concurrency_hint, std::int64_t n, std::string& complaint) {
  bool failed = false;
  const auto run = [&] {
    world w(concurrency_hint);
    if (s.prepare != nullptr) s.prepare(w);
    w.main.emplace(*w.sim, run_body(w, s.body, n, &failed));
    run_to_the_end(w);
    failed = test::stop_failing();
    finish(w, s);
    complaint = w.complaint;
  };
  std::thread(run).join();  // a thread of its own: nothing is kept from earlier runs, by Asio or by us
  return failed;
}

allocation_findings fail_everywhere(const scenario& s, int concurrency_hint) {
  allocation_findings all;
  std::string complaint;
  for (std::int64_t n = 1; n < too_many; ++n) {
    const bool failed = fail_at(s, concurrency_hint, n, complaint);
    if (!complaint.empty()) all.complaints += std::string(s.name) + ", allocation " + std::to_string(n) + ": " + complaint + "\n";
    if (!failed) break;
    ++all.failures;
  }
  return all;
}

}  // namespace dspu::aio::proof
