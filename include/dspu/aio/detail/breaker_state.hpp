// All of a circuit_breaker but its clock: the machine under a lock, a word that answers most questions without it, and
// the changes still to be told of.
#pragma once

#include "dspu/aio/circuit_breaker_options.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/core/breaker_machine.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>

namespace dspu::aio::detail {

// For those who tell of it: what an entry or a result changed, and how things stood right after.
struct breaker_change {
  core::circuit_transition transition;
  core::breaker_statistics after;
  core::breaker_options options;
};

class breaker_state {
 public:
  using entry = core::admission;
  struct closed_entry {
    std::uint64_t generation;
    bool timed;  // slow calls are told apart, so the instant of entering matters
  };

  explicit breaker_state(circuit_breaker_options options);

  // What to settle with, if calls are let in without further ado.
  std::optional<closed_entry> enter_closed() const {
    const auto word = word_.load(std::memory_order_acquire);
    if ((word & closed_bit) == 0) return std::nullopt;
    return closed_entry{word >> word_shift, (word & timed_bit) != 0};
  }
  // The same, if moreover a success would change nothing: then all that a call needs to remember is the generation.
  std::optional<std::uint64_t> enter_clean() const {
    const auto word = word_.load(std::memory_order_acquire);
    if ((word & (closed_bit | clean_bit | timed_bit)) != (closed_bit | clean_bit)) return std::nullopt;
    return word >> word_shift;
  }
  // How long it surely stays open, if it is: then a call is refused, and counted so. Takes no lock.
  std::optional<duration> refuse_if_open(core::instant now) {
    if ((word_.load(std::memory_order_acquire) & open_bit) == 0) return std::nullopt;
    const core::instant until{duration{open_until_.load(std::memory_order_relaxed)}};  // at worst a little old
    if (now >= until) return std::nullopt;
    refused_.fetch_add(1, std::memory_order_relaxed);
    return until - now;
  }
  // For all others.
  entry enter(core::instant now, std::optional<breaker_change>* change = nullptr);

  // True if there is nothing to record: closed, without failures or a window, of that generation, no event
  // undelivered.
  bool success_changes_nothing(std::uint64_t generation) const {
    return (word_.load(std::memory_order_acquire) & ~timed_bit) == (generation << word_shift | closed_bit | clean_bit);
  }
  void settle(const core::ended_call& call, std::optional<breaker_change>* change = nullptr);

  // Changes made by hand: `how` is called with the machine, under the lock.
  template <class How>
  void change(const How& how) {
    const std::lock_guard lock(mutex_);
    note(how(machine_));
    publish();
  }
  void reconfigure(const circuit_breaker_options& options);

  circuit_breaker_error refusal(std::optional<duration> retry_after) const;
  const classifier& classify() const { return options_.classify; }
  verdict judge(const outcome& o) const { return options_.classify ? options_.classify(o) : default_verdict(o); }
  // How long an outcome with that verdict asks us to stay away.
  std::optional<duration> retry_after(verdict v, const outcome& o) const {
    return v == verdict::failure && options_.retry_after ? options_.retry_after(o) : std::nullopt;
  }

  bool events_pending() const { return events_pending_.load(std::memory_order_acquire); }
  // Calls a plain callback for each change not yet told of. An asynchronous one waits for deliver_async().
  void deliver();
  awaitable<void> deliver_async();

  // Reads under the lock.
  template <class Get>
  auto read(const Get& get) const {
    const std::lock_guard lock(mutex_);
    return get(machine_);
  }
  core::breaker_statistics statistics(core::instant now) const;
  circuit_breaker_options options() const;
  // As new, and no event left to be told of.
  bool is_fresh(core::instant now) const {
    const std::lock_guard lock(mutex_);
    return machine_.is_fresh(now) && events_.empty() && !delivering_;
  }
  std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t closed_bit = 1;
  static constexpr std::uint64_t clean_bit = 2;
  static constexpr std::uint64_t open_bit = 4;
  static constexpr std::uint64_t timed_bit = 8;
  static constexpr int word_shift = 4;

  void note(std::optional<core::circuit_transition> t);
  void report(const std::optional<core::circuit_transition>& t, core::instant now,
              std::optional<breaker_change>* to) const;
  void publish();
  std::optional<core::circuit_transition> next_event();
  void end_delivery();

  const circuit_breaker_options options_;  // for its functions; the machine has the rest, which may change
  mutable std::mutex mutex_;
  core::breaker_machine machine_;
  std::deque<core::circuit_transition> events_;
  bool delivering_ = false;
  std::atomic<std::uint64_t> word_{0};  // generation and the four bits above
  std::atomic<std::int64_t> open_until_{0};
  std::atomic<bool> events_pending_{false};
  std::atomic<std::uint64_t> revision_{0};
  // Refusals that the machine did not hear of. On a line of its own: those refused do not slow down those who ask.
  alignas(64) std::atomic<std::int64_t> refused_{0};
};

}  // namespace dspu::aio::detail
