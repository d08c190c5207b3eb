#include "dspu/testing/replay.hpp"

#include "dspu/aio/error.hpp"
#include "dspu/aio/recorder.hpp"
#include "dspu/core/check.hpp"
#include "dspu/core/random.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

namespace dspu::testing {

core::verdict replayed_verdict(const aio::outcome& o) {
  if (o.exception()) {
    try {
      std::rethrow_exception(o.exception());
    } catch (const replayed_failure& f) {
      if (f.how() == aio::ending_word::ignored) return core::verdict::ignored;
    } catch (...) {
    }
  }
  return aio::default_verdict(o);
}

namespace detail {

namespace {

namespace asio = boost::asio;
using aio::ending_word;
using core::duration;
using core::instant;

struct known_attempt {
  instant start;
  duration took;
  ending_word how;
};

// So that no sum of a few of them passes 64 bits.
void check_times(const aio::recorded_call& call) {
  constexpr auto long_ago = -std::chrono::hours{24 * 36'500};
  constexpr auto far_ahead = std::chrono::hours{24 * 36'500};
  constexpr auto longest = std::chrono::hours{24 * 366};
  const duration start = call.start.time_since_epoch();
  core::require(start >= long_ago && start <= far_ahead, "replay: a call's start", start, "within 100 years");
  core::require(call.took <= longest, "replay: a call's time", call.took, "at most a year");
  for (const auto& a : call.attempts) {
    core::require(a.at <= longest, "replay: an attempt's start", a.at, "at most a year");
    core::require(a.took <= longest, "replay: an attempt's time", a.took, "at most a year");
  }
}

// What attempts come to.
class world {
 public:
  world(const aio::trace& recorded, const replay_options& o) : options_(o), random_(o.seed) {
    core::require(o.tolerance >= duration{0}, "replay.tolerance", o.tolerance, "at least 0 s");
    core::require(o.neighbours >= 1, "replay.neighbours", static_cast<std::int64_t>(o.neighbours),
                  "at least 1");
    for (const auto& call : recorded.calls) {
      for (const auto& a : call.attempts) {
        if (a.how != ending_word::cancelled) pools_[call.pipeline].push_back(known(call, a));
      }
    }
    for (auto& [name, pool] : pools_) {
      std::sort(pool.begin(), pool.end(), [](const auto& a, const auto& b) {
        return std::tie(a.start, a.took, a.how) < std::tie(b.start, b.took, b.how);
      });
    }
    for (const auto& call : recorded.calls) {
      if (pools_.contains(call.pipeline)) continue;
      throw std::invalid_argument("replay: the trace holds calls of \"" + call.pipeline +
                                  "\", but must hold an attempt that ended, to go by");
    }
  }

  known_attempt next(const aio::recorded_call& call, std::size_t number, instant now) {
    if (number < call.attempts.size()) {
      const auto own = known(call, call.attempts[number]);
      const bool near = own.start - now <= options_.tolerance && now - own.start <= options_.tolerance;
      const bool ends = own.how != ending_word::cancelled || call.how == ending_word::cancelled;
      if (near && ends) return note(own, result.as_recorded);
    }
    return note(neighbour(pools_.at(call.pipeline), now), result.assumed);
  }

  replay_result result;

 private:
  static known_attempt known(const aio::recorded_call& call, const aio::recorded_attempt& a) {
    return {core::add_saturating(call.start, a.at), a.took, a.how};
  }
  known_attempt note(const known_attempt& a, std::int64_t& counter) {
    ++counter;
    if (a.how == ending_word::timed_out) ++result.cut_short;
    return a;
  }
  // One of those that started nearest: they stand side by side.
  const known_attempt& neighbour(const std::vector<known_attempt>& pool, instant now) {
    const auto count = std::min(options_.neighbours, pool.size());
    const auto at =
        std::partition_point(pool.begin(), pool.end(), [now](const auto& a) { return a.start < now; });
    auto end = static_cast<std::size_t>(at - pool.begin());
    auto begin = end;
    while (end - begin < count) {
      const bool later =
          begin == 0 || (end < pool.size() && pool[end].start - now < now - pool[begin - 1].start);
      if (later) {
        ++end;
      } else {
        --begin;
      }
    }
    return pool[begin + static_cast<std::size_t>(random_.unit() * static_cast<double>(count))];
  }

  const replay_options options_;
  core::random_source random_;
  std::map<std::string, std::vector<known_attempt>> pools_;  // by pipeline, by start
};

// Instants of the recorded clock and of the simulation.
struct time_shift {
  instant recorded_start;
  manual_clock::time_point start;

  instant recorded_now() const { return core::add_saturating(recorded_start, manual_clock::now() - start); }
  manual_clock::time_point simulated(instant t) const { return start + (t - recorded_start); }
};

aio::awaitable<void> sleep_until(manual_clock::time_point t) {
  manual_timer timer(co_await asio::this_coro::executor, t);
  co_await timer.async_wait(asio::use_awaitable);
}

aio::awaitable<int> attempt(known_attempt a) {
  if (a.how == ending_word::cancelled) {
    co_await sleep_until(manual_clock::time_point::max());
  } else if (a.how == ending_word::timed_out) {
    co_await sleep_until(manual_clock::now() + a.took + duration{1});
    throw aio::async_timeout_error(a.took);
  } else if (a.took > duration{0}) {
    co_await sleep_until(manual_clock::now() + a.took);
  }
  if (a.how != ending_word::success) throw replayed_failure(a.how);
  co_return 0;
}

// One call, with a caller who loses patience when the recorded one did.
aio::awaitable<void> call_once(const aio::recorded_call& call, world& w, const replayed_pipeline& pipeline,
                               aio::observer& tape, time_shift times) {
  const auto executor = co_await asio::this_coro::executor;
  std::size_t made = 0;
  asio::cancellation_signal impatience;
  manual_timer patience(executor);
  if (call.how == ending_word::cancelled) {
    patience.expires_at(times.simulated(core::add_saturating(call.start, call.took)));
    patience.async_wait([&impatience](const boost::system::error_code& ec) {
      if (!ec) impatience.emit(asio::cancellation_type::terminal);
    });
  }
  replayed_operation op = [&] { return attempt(w.next(call, made++, times.recorded_now())); };
  auto running = pipeline(tape, call.pipeline, std::move(op));
  auto token = asio::bind_cancellation_slot(impatience.slot(), asio::use_awaitable);
  try {
    co_await asio::co_spawn(executor, std::move(running), token);
  } catch (const std::exception&) {  // the tape has it
  }
}

aio::awaitable<void> call_all(const std::vector<const aio::recorded_call*>& calls, simulator& sim, world& w,
                              const replayed_pipeline& pipeline, aio::observer& tape, time_shift times) {
  for (const auto* call : calls) {
    const auto start = times.simulated(call->start);
    if (start > manual_clock::now()) co_await sleep_until(start);
    sim.spawn(call_once(*call, w, pipeline, tape, times));
  }
}

}  // namespace

replay_result replay(simulator& sim, const aio::trace& recorded, const replayed_pipeline& pipeline,
                     const replay_options& options) {
  for (const auto& call : recorded.calls) check_times(call);
  world w(recorded, options);
  if (recorded.calls.empty()) return {};
  std::vector<const aio::recorded_call*> calls;
  calls.reserve(recorded.calls.size());
  for (const auto& call : recorded.calls) calls.push_back(&call);
  std::sort(calls.begin(), calls.end(),
            [](auto a, auto b) { return a->start != b->start ? a->start < b->start : a < b; });

  const time_shift times{calls.front()->start, sim.now()};
  std::string text;
  aio::recorder tape([&text](std::string_view line) { text += line; });
  sim.spawn(call_all(calls, sim, w, pipeline, tape, times));
  sim.run();

  w.result.trace = aio::read_trace(text);
  const auto back = times.recorded_start - core::instant_of(times.start);
  for (auto& c : w.result.trace.calls) c.start += back;
  for (auto& s : w.result.trace.states) s.at += back;
  return std::move(w.result);
}

}  // namespace detail

}  // namespace dspu::testing
