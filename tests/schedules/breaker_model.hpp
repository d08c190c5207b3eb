// The circuit breaker's lock-free reads beside its locked machine, as in include/dspu/aio/detail/breaker_state.hpp
// and src/aio/circuit_breaker.cpp: breaker_state::enter_closed, refuse_if_open, enter, success_changes_nothing,
// settle, change, reconfigure, publish. The machine under the lock is the real one, core::breaker_machine.
//
// What a read without the lock decides must have been true of the machine at some moment of that operation.
#pragma once

#include "dspu/core/breaker_machine.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace dspu::schedules {

enum class breaker_flaw {
  none,
  success_ignores_generation,  // success_changes_nothing looks at the bits only
  clean_with_failures,         // publish() sets the clean bit though failures are counted
  clean_with_window,           // publish() sets the clean bit though successes are counted
  enter_ignores_open,          // enter_closed takes any word for a closed one
  no_publish_by_hand,
  settle_without_generation,  // a late result is settled as if it were admitted now
};

// What is done to the breaker while it is called.
enum class by_hand { reset, isolate, open_until, shorten_timeout, add_window };

struct breaker_cast {
  std::int64_t failure_threshold;
  std::array<core::verdict, 3> verdicts;  // how each call ends
  by_hand act = by_hand::reset;
  bool window = false;  // two failures in it open, be they consecutive or not
};

class breaker_model {
 public:
  // Threads 0–2 call, 3 acts by hand, 4 is the time.
  static constexpr int callers = 3;
  static constexpr int threads = 5;
  static constexpr int last_tick = 3;

  explicit breaker_model(const breaker_cast& cast, breaker_flaw flaw = breaker_flaw::none)
      : cast_(cast), flaw_(flaw), machine_(options(cast)) {
    publish_until();
    publish_word();
  }

  template <class Next>
  void step(int thread, const Next& next) const {
    breaker_model m(*this);
    if (m.advance(thread)) next(m);
  }

  std::string fault() const {
    if (!fault_.empty()) return fault_;
    if (owner_ >= 0) return "";
    if (word_ != word_of(machine_)) return "the word does not say what the machine is";
    if (machine_.in_flight() > 1) return "more probes than half-open may have";
    return "";
  }

  std::string end_fault() const {
    if (owner_ >= 0) return "the lock was left locked";
    for (const auto& t : threads_) {
      if (t.at != place::done && &t != &threads_.back()) return "a thread is stuck";
    }
    if (machine_.in_flight() != 0) return "a probe's place was lost";
    return "";
  }

  std::string key() const {
    std::string k;
    const auto put = [&k](std::int64_t v) { k.push_back(static_cast<char>(v)); };
    for (const auto& t : threads_) {
      for (const std::int64_t v :
           {static_cast<std::int64_t>(t.at), t.now, static_cast<std::int64_t>(t.seen),
            static_cast<std::int64_t>(t.generation), static_cast<std::int64_t>(t.was_closed),
            static_cast<std::int64_t>(t.was_open), static_cast<std::int64_t>(t.was_clean)}) {
        put(v);
      }
    }
    for (const std::int64_t v :
         {static_cast<std::int64_t>(word_), until_, now_, static_cast<std::int64_t>(owner_),
          static_cast<std::int64_t>(machine_.state()), static_cast<std::int64_t>(machine_.generation()),
          machine_.failure_count(), machine_.success_count(), machine_.in_flight(), machine_until(),
          machine_.failures_seen(), machine_.statistics({}).window.calls,
          static_cast<std::int64_t>(machine_.notes_successes()),
          static_cast<std::int64_t>(before_.state()), static_cast<std::int64_t>(before_.generation()),
          before_.failure_count()}) {
      put(v);
    }
    return k + fault_;
  }

 private:
  enum class place : std::uint8_t {
    start,
    load_until,
    lock,
    change,
    publish,
    settle,
    settle_lock,
    settle_change,
    done
  };
  struct thread_state {
    place at = place::start;
    std::int64_t now = 0;
    std::uint64_t seen = 0;
    std::uint64_t generation = 0;
    bool settling = false;
    // Facts about the machine that were true at some moment since the operation began.
    bool was_closed = false;  // in `generation`, once that is known
    bool was_open = false;    // with its time not over at `now`
    bool was_clean = false;   // closed in `generation` without failures
  };
  static constexpr int hand = callers;
  static constexpr int ticker = callers + 1;

  static constexpr std::uint64_t closed_bit = 1;
  static constexpr std::uint64_t clean_bit = 2;
  static constexpr std::uint64_t open_bit = 4;

  std::uint64_t word_of(const core::breaker_machine& m) const {
    const bool closed = m.state() == core::circuit_state::closed;
    const bool clean = closed && !notes_successes(m);
    return m.generation() << 3 | (closed ? closed_bit : 0) | (clean ? clean_bit : 0) |
           (m.state() == core::circuit_state::open ? open_bit : 0);
  }
  bool notes_successes(const core::breaker_machine& m) const {
    if (flaw_ == breaker_flaw::clean_with_failures) return false;
    return m.failure_count() > 0 || (m.notes_successes() && flaw_ != breaker_flaw::clean_with_window);
  }
  std::int64_t machine_until() const { return machine_.open_until().time_since_epoch().count(); }
  void publish_until() { until_ = machine_until(); }
  void publish_word() { word_ = word_of(machine_); }

  static core::breaker_options options(const breaker_cast& cast) {
    core::breaker_options o{.failure_threshold = cast.failure_threshold,
                            .success_threshold = 1,
                            .timeout = core::duration{2},
                            .half_open_max_calls = 1};
    if (cast.window) {
      o.failure_threshold = 0;
      // One bucket for all time, so that its sums are all there is to know of it.
      o.window = {.time = core::duration::max(), .buckets = 1, .min_calls = 3, .failure_rate = 0.5};
    }
    return o;
  }
  static core::instant at(std::int64_t t) { return core::instant{core::duration{t}}; }

  // Renews what every operation under way may rightly believe. A change under the lock takes place at any
  // moment until the lock is released, so until then what was before is still true as well.
  void witness() {
    if (owner_ < 0) before_ = machine_;
    for (auto& t : threads_) {
      if (t.at == place::start) t.was_closed = t.was_open = t.was_clean = false;
      for (const auto* m : {&before_, &machine_}) {
        const bool closed = m->state() == core::circuit_state::closed;
        const auto until = m->open_until().time_since_epoch().count();
        t.was_closed = t.was_closed || closed;
        t.was_open = t.was_open || (m->state() == core::circuit_state::open && t.now < until);
        t.was_clean = t.was_clean || (closed && !m->notes_successes() && m->generation() == t.generation);
      }
      if (t.at == place::done) t = thread_state{.at = place::done};
    }
  }

  bool advance(int thread) {
    bool moved = false;
    if (thread < callers) {
      moved = call(thread);
    } else if (thread == hand) {
      moved = act();
    } else if (now_ < last_tick) {
      ++now_;
      moved = true;
    }
    if (moved) witness();
    return moved;
  }

  // basic_circuit_breaker::try_permit, then permit::settle.
  bool call(int thread) {
    auto& t = threads_[static_cast<std::size_t>(thread)];
    const auto v = cast_.verdicts[static_cast<std::size_t>(thread)];
    switch (t.at) {
      case place::start:
        return enter_closed(t);
      case place::load_until:
        if (t.now < until_) {
          if (!t.was_open) fault_ = "a call was refused though the breaker was not open";
          t.at = place::done;
        } else {
          t.at = place::lock;
        }
        return true;
      case place::lock:
        if (owner_ >= 0) return false;
        owner_ = thread;
        t.at = place::change;
        return true;
      case place::change: {
        const auto made = machine_.enter(at(t.now));
        t.settling = made.admitted;
        t.generation = made.generation;
        return begin_publishing(t);
      }
      case place::publish:
        return end_publishing(t, t.settling ? place::settle : place::done);
      case place::settle:
        return try_shortcut(t, v);
      case place::settle_lock:
        if (owner_ >= 0) return false;
        owner_ = thread;
        t.at = place::settle_change;
        return true;
      case place::settle_change:
        return settle(t, v);
      case place::done:
        return false;
    }
    return false;
  }

  // The load of the word serves enter_closed and, a step later, refuse_if_open.
  bool enter_closed(thread_state& t) {
    t.now = now_;
    t.seen = word_;
    if ((t.seen & closed_bit) != 0 || flaw_ == breaker_flaw::enter_ignores_open) {
      t.generation = t.seen >> 3;
      const bool is_closed = machine_.state() == core::circuit_state::closed;
      if (!t.was_closed && !is_closed && before_.state() != core::circuit_state::closed) {
        fault_ = "a call was let in though the breaker was not closed";
      }
      t.settling = true;
      t.at = place::settle;
    } else {
      t.at = (t.seen & open_bit) != 0 ? place::load_until : place::lock;
    }
    t.was_clean = false;  // a new operation begins: settling
    return true;
  }

  bool try_shortcut(thread_state& t, core::verdict v) {
    const auto mask =
        flaw_ == breaker_flaw::success_ignores_generation ? closed_bit | clean_bit : ~std::uint64_t{0};
    const auto wanted = t.generation << 3 | closed_bit | clean_bit;
    if (v == core::verdict::success && (word_ & mask) == (wanted & mask)) {
      if (!t.was_clean) fault_ = "a success was dropped that would have counted";
      t.at = place::done;
    } else {
      t.at = place::settle_lock;
    }
    return true;
  }

  bool settle(thread_state& t, core::verdict v) {
    const auto before = machine_.generation();
    const auto used = flaw_ == breaker_flaw::settle_without_generation ? before : t.generation;
    const auto moved = machine_.settle(used, v, at(now_));
    if (t.generation != before && moved) fault_ = "a stale result moved the breaker";
    t.settling = false;
    return begin_publishing(t);
  }

  void act_on(core::breaker_machine& m) const {
    auto o = m.options();
    switch (cast_.act) {
      case by_hand::reset:
        m.reset();
        return;
      case by_hand::isolate:
        m.isolate();
        return;
      case by_hand::open_until:
        m.force_open(at(1));
        return;
      case by_hand::shorten_timeout:
        o.timeout = core::duration{1};
        break;
      case by_hand::add_window:
        o.window = {.time = core::duration::max(), .buckets = 1, .min_calls = 1, .failure_rate = 0.5};
        break;
    }
    m.reconfigure(o);
  }

  bool act() {
    auto& t = threads_[hand];
    switch (t.at) {
      case place::start:
        if (owner_ >= 0) return false;
        owner_ = hand;
        t.at = place::change;
        return true;
      case place::change:
        act_on(machine_);
        if (flaw_ == breaker_flaw::no_publish_by_hand) {
          owner_ = -1;
          t.at = place::done;
          return true;
        }
        return begin_publishing(t);
      case place::publish:
        return end_publishing(t, place::done);
      default:
        return false;
    }
  }

  // publish() is two stores, open_until and then the word, both under the lock.
  bool begin_publishing(thread_state& t) {
    publish_until();
    t.at = place::publish;
    return true;
  }
  bool end_publishing(thread_state& t, place next) {
    publish_word();
    owner_ = -1;
    t.at = next;
    return true;
  }

  breaker_cast cast_;
  breaker_flaw flaw_;
  core::breaker_machine machine_;
  core::breaker_machine before_ = machine_;  // as the last holder of the lock left it
  std::array<thread_state, threads> threads_{};
  std::uint64_t word_ = 0;
  std::int64_t until_ = 0;
  std::int64_t now_ = 0;
  int owner_ = -1;
  std::string fault_;
};

}  // namespace dspu::schedules
