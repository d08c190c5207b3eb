// What the scenarios of the cancellation harness act on: one of each policy, in a known state, and operations
// that are counted. Every run of a scenario gets a world of its own.
#pragma once

#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/adaptive_rate.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/chaos.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/gather.hpp"
#include "dspu/aio/hedge.hpp"
#include "dspu/aio/keyed.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/shield.hpp"
#include "dspu/aio/single_flight.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <list>
#include <optional>
#include <vector>

namespace dspu::aio::proof {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;
using limiter = basic_rate_limiter<manual_clock>;
using breaker = basic_circuit_breaker<manual_clock>;
using retrier = basic_retry<manual_clock>;
using hedger = basic_hedge<manual_clock>;
using time_limit = basic_timeout<manual_clock>;

// Counts the coroutine frames it lives in.
class counted {
 public:
  explicit counted(int& count) : count_(&count) { ++*count_; }
  counted(counted&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  counted& operator=(counted&&) = delete;
  ~counted() {
    if (count_ != nullptr) --*count_;
  }

 private:
  int* count_;
};

// A breaker with a listener that checks what it is told.
class watched_breaker {
 public:
  enum class listener { plain, asynchronous };
  static constexpr std::int64_t probes = 2;

  watched_breaker(listener kind, const bool& quiet);

  breaker subject;
  // The first broken promise, or empty.
  std::string complaint;

  void trip();
  // Lets the timeout pass and makes its one transition by a probe that is lost at once.
  void half_open();
  // Goes through all states, at whatever time it is. A complaint if a probe's place is missing.
  void check_usable(simulator& sim);

 private:
  void hear(circuit_state from, circuit_state to);

  const bool& quiet_;
  std::optional<circuit_state> last_;
};

struct world {
  // `concurrency_hint`: of the event loop.
  explicit world(int concurrency_hint = 1);

  struct clock_at_start {
    clock_at_start();
  } clock;            // the first member: the others read the time when they are made
  int frames = 0;     // operations under way, and whatever else holds a `counted`
  int callbacks = 0;  // on_retry under way
  int granted = 0;    // tokens that somebody got
  manual_clock::time_point last_grant = manual_clock::now();
  bool ended = false;     // the scenario is over: no callback may come any more
  std::string complaint;  // the first broken promise, or empty
  std::vector<std::exception_ptr> unreceived;

  // Tokens come one a second, from none.
  limiter tokens{{.rate = 1, .capacity = 1000, .wake_interval = 0ns}};
  watched_breaker closed{watched_breaker::listener::plain, ended};
  watched_breaker closed_async{watched_breaker::listener::asynchronous, ended};
  watched_breaker open{watched_breaker::listener::plain, ended};
  watched_breaker half{watched_breaker::listener::plain, ended};
  watched_breaker half_async{watched_breaker::listener::asynchronous, ended};
  keyed<breaker> by_key{{.failure_threshold = 2, .success_threshold = 1, .timeout = 2s}, {.max_keys = 1}};
  retrier again;
  retrier again_async;
  bulkhead narrow{{.limit = 2, .max_queue = 100}};
  basic_throttle<manual_clock> polite{{.min_requests = 1000}};
  basic_adaptive_concurrency<manual_clock> width{
      {.algorithm = limit_algorithm::aimd, .initial = 2, .max = 3, .max_queue = 100}};
  basic_adaptive_rate<manual_clock> pace{{.initial_rate = 0.5, .max_rate = 0.5}};
  basic_chaos<manual_clock> slow{{.latency_rate = 1, .latency_min = 700ms, .seed = 1}};
  basic_chaos<manual_clock> faulty{{.fault_rate = 1, .latency_rate = 1, .latency_min = 700ms, .seed = 1}};
  basic_chaos<manual_clock> made_up{
      {.result_rate = 1, .latency_rate = 1, .latency_min = 700ms, .result = [] { return 7; }, .seed = 1}};
  single_flight<int, int> once;
  hedger twice{{.delay = 1s}};
  hedger thrice{{.max_hedges = 2, .delay = 500ms, .quantile = 0.5, .min_samples = 1}};
  shield_scope scope{[this](std::exception_ptr e) { unreceived.push_back(e); }};
  std::list<test::task> others;
  std::list<test::task> bystanders;  // users of other policies, who end by themselves
  std::optional<test::task> main;
  std::optional<simulator> sim;  // the last member: goes first, so that all else outlives the event loop

  void complain(std::string text) {
    if (complaint.empty()) complaint = std::move(text);
  }
  void got(int n);
  // What must hold once nothing moves any more.
  void check_conserved();
  void check_usable();

  // Operations. `work` takes that long and returns 1; `failing` throws; `stubborn` takes no notice of
  // cancellation.
  awaitable<int> work(duration takes = 1s);
  awaitable<int> failing(duration takes = 1s);
  awaitable<int> stubborn(duration takes = 1s);
  // Fails as often as told, then succeeds.
  awaitable<int> flaky(int& failures);
  // One token, noted as granted.
  awaitable<int> token(double n = 1, acquire_options options = {});
  // As `work`, for limiter.call: notes the token that let it in.
  awaitable<int> paid_work();
  // Somebody else in the line. With others there, every token must be granted as soon as it is made.
  enum class comes { at_once, in_a_moment };
  void queue_up(comes when);

 private:
  awaitable<void> wait_in_line(comes when);
  retry_options options_with(callback<std::int64_t, std::exception_ptr> on_retry);
};

}  // namespace dspu::aio::proof
