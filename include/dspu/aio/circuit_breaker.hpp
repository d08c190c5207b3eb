// circuit_breaker: stops calling what keeps failing, and finds out carefully when it works again.
//
//   circuit_breaker breaker{{.failure_threshold = 5, .timeout = 30s}};
//   co_await breaker.call(fetch, url);           // throws circuit_breaker_error while open
//   auto guarded = breaker(fetch);               // co_await guarded(url)
//
// closed → open after `failure_threshold` consecutive failures, or when a rate is reached (circuit_breaker_options.hpp);
// open → half-open on the first call after `timeout`; half-open → closed after `success_threshold` successes, or → open
// on one failure (core/breaker_machine.hpp has the picture). A cancelled call counts neither way and gives its probe's
// place back; results of calls admitted in an earlier state are dropped.
//
// Thread-safety: everything may be called from any thread. While closed without failures and without a window, a call
// costs two atomic loads and writes nothing shared; a refusal while open adds one to a counter. All else takes a lock
// for one decision. The breaker must outlive the calls made through it.
#pragma once

#include "dspu/aio/circuit_breaker_options.hpp"
#include "dspu/aio/detail/breaker_stage.hpp"
#include "dspu/aio/detail/breaker_state.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/core/check.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace dspu::aio {

// What there is to know of a breaker, all of one moment: for telemetry. Instants are the clock's (core::instant_of).
using circuit_breaker_statistics = core::breaker_statistics;

template <class Clock>
class basic_circuit_breaker : public detail::verbs<basic_circuit_breaker<Clock>> {
 public:
  using options_type = circuit_breaker_options;

  // The right to make one call. Settle it once; destroyed unsettled, it counts as ignored.
  class permit {
   public:
    permit(permit&& other) noexcept
        : breaker_(std::exchange(other.breaker_, nullptr)), generation_(other.generation_), time_(other.time_) {}
    permit& operator=(permit&&) = delete;
    ~permit() {
      if (breaker_ != nullptr) settle(verdict::ignored);
    }

    explicit operator bool() const { return breaker_ != nullptr; }
    // If refused: how long until a probe may be let in, if that is known.
    std::optional<duration> retry_after() const {
      if (generation_ != refused || time_ == unknown) return std::nullopt;
      return time_.time_since_epoch();
    }

    // Whether success() would be the same as doing nothing.
    [[gnu::always_inline]] bool success_changes_nothing() const {
      return breaker_ == nullptr || breaker_->state_.success_changes_nothing(generation_);
    }
    [[gnu::always_inline]] void success() {
      if (!settle_for_nothing()) settle(verdict::success);
    }
    void failure() { settle(verdict::failure); }
    // Settling again, or settling what was refused, does nothing. A failure may ask us to stay away for so long.
    void settle(verdict v, std::optional<duration> retry_after = std::nullopt) { settle(v, retry_after, nullptr); }

   private:
    friend class basic_circuit_breaker;
    friend class detail::breaker_stage<Clock>;
    [[gnu::noinline]] void settle(verdict v, std::optional<duration> retry_after,
                                  std::optional<detail::breaker_change>* change) {
      auto* breaker = std::exchange(breaker_, nullptr);
      if (breaker == nullptr) return;
      if (v == verdict::success && breaker->state_.success_changes_nothing(generation_)) return;
      breaker->state_.settle({generation_, v, time_, now(), retry_after}, change);
      breaker->state_.deliver();
    }
    // A success, if it changes nothing. False if it would, and is still to be settled.
    [[gnu::always_inline]] bool settle_for_nothing() {
      if (!success_changes_nothing()) return false;
      breaker_ = nullptr;
      return true;
    }
    permit(basic_circuit_breaker* breaker, std::uint64_t generation, core::instant started)
        : breaker_(breaker), generation_(generation), time_(started) {}
    explicit permit(std::optional<duration> retry_after)
        : breaker_(nullptr), generation_(refused), time_(retry_after ? core::instant(*retry_after) : unknown) {}

    // Every call has one in its frame: three words.
    static constexpr std::uint64_t refused = core::breaker_machine::no_generation - 1;
    basic_circuit_breaker* breaker_;
    std::uint64_t generation_;
    core::instant time_;  // when it was let in, if that matters; since the epoch, how long to stay away, if refused
  };

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_circuit_breaker(circuit_breaker_options options = {}) : state_(std::move(options)) {}
  basic_circuit_breaker(const basic_circuit_breaker&) = delete;
  basic_circuit_breaker& operator=(const basic_circuit_breaker&) = delete;

  // From verbs: call(fn, args…), call_in(context, fn, args…), operator()(fn).
  // Suspends: as fn and an asynchronous on_state_change do. On cancel: as fn does; the call counts as ignored.
  // Throws: circuit_breaker_error if refused; what fn throws.

  // Asks for the right to make a call without calling anything: `if (auto p = breaker.try_permit()) …`. Never suspends.
  [[gnu::always_inline]] permit try_permit() { return admit(nullptr); }

  // By hand; all of these tell on_state_change of what they change.
  // Closes it and forgets all counts; calls still out no longer matter.
  void reset() {
    change([](core::breaker_machine& m) { return m.reset(); });
  }
  // Closes it, from any state; what is closed stays as it is, with its counts.
  void close() {
    change([](core::breaker_machine& m) { return m.close(); });
  }
  // Refuses everything, without saying until when, until close() or reset().
  void isolate() {
    change([](core::breaker_machine& m) { return m.isolate(); });
  }
  // Open from now on until `t`; then half-open on the next call, as ever. One that is open already takes the new
  // instant, be it earlier or later; one that is isolated stays so. For what a server announced.
  void open_until(typename Clock::time_point t) {
    change([until = core::instant_of(t)](core::breaker_machine& m) { return m.force_open(until); });
  }
  // Throws: std::invalid_argument unless d >= 0.
  void open_for(duration d) {
    core::require(d >= duration{0}, "circuit_breaker.open_for", d, "at least 0 s");
    change([until = core::add_saturating(now(), d)](core::breaker_machine& m) { return m.force_open(until); });
  }

  // New options while calls are under way; the functions among them (classify, retry_after, on_state_change) stay as
  // they were. State, counts and probes are kept, and the window if it is of the same kind and size, else it starts
  // anew. Nothing is judged before the next result. While open it stays so until the earlier of the old instant and
  // the one by the new `timeout`; an instant that a failure or open_until() named stays. Only if probe_timeout comes
  // or goes while half-open, the probes that are out no longer matter.
  // Throws: std::invalid_argument as the constructor does; then nothing has changed.
  void reconfigure(const circuit_breaker_options& options) { state_.reconfigure(options); }
  circuit_breaker_options options() const { return state_.options(); }
  // How often that was done.
  std::uint64_t revision() const { return state_.revision(); }
  // Whether it decides as a new one would: closed, nothing counted (a window of calls never forgets, one of time does),
  // nothing left to tell. Calls let in while closed, and still under way, are not looked at.
  bool is_fresh() const { return state_.is_fresh(now()); }

  circuit_breaker_statistics statistics() const { return state_.statistics(now()); }
  // Open turns half-open on a call, not by itself.
  circuit_state state() const { return read(&core::breaker_machine::state); }
  // Consecutive failures; while not closed, those that opened it.
  std::int64_t failure_count() const { return read(&core::breaker_machine::failure_count); }
  // Successes in the newest half-open.
  std::int64_t success_count() const { return read(&core::breaker_machine::success_count); }
  std::optional<typename Clock::time_point> last_failure_time() const {
    const auto t = read(&core::breaker_machine::last_failure_time);
    if (!t) return std::nullopt;
    return typename Clock::time_point{std::chrono::duration_cast<typename Clock::duration>(t->time_since_epoch())};
  }

  // Its part in a pipeline, which refers to it.
  detail::breaker_stage<Clock> stage() & { return detail::breaker_stage<Clock>(*this); }

 private:
  friend class detail::breaker_stage<Clock>;
  static constexpr core::instant unknown = core::instant::max();
  static core::instant now() { return core::instant_of(Clock::now()); }

  // What every call goes through is inlined, what few do is kept out of it.
  [[gnu::always_inline]] permit admit(std::optional<detail::breaker_change>* change) {
    if (const auto closed = state_.enter_closed()) return permit_of(*closed);
    return admit_unless_open(change);
  }
  [[gnu::always_inline]] permit permit_of(const detail::breaker_state::closed_entry& closed) {
    return permit(this, closed.generation, closed.timed ? now() : unknown);
  }
  [[gnu::noinline]] permit admit_unless_open(std::optional<detail::breaker_change>* change);

  template <class How>
  void change(const How& how) {
    state_.change(how);
    state_.deliver();
  }
  template <class T>
  T read(T (core::breaker_machine::*fact)() const) const {
    return state_.read([fact](const core::breaker_machine& m) { return (m.*fact)(); });
  }

  detail::breaker_state state_;
};

using circuit_breaker = basic_circuit_breaker<std::chrono::steady_clock>;

template <class Clock>
auto basic_circuit_breaker<Clock>::admit_unless_open(std::optional<detail::breaker_change>* change) -> permit {
  const auto started = now();
  if (const auto left = state_.refuse_if_open(started)) return permit(left);
  const auto entry = state_.enter(started, change);
  state_.deliver();
  return entry.admitted ? permit(this, entry.generation, started) : permit(entry.retry_after);
}

}  // namespace dspu::aio
