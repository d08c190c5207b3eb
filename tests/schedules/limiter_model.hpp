// The limiter's fast path and its line, step by step, as in include/dspu/aio/rate_limiter.hpp and
// impl/rate_limiter.ipp.
//
// Each step is one access to the shared word (`word_`), or one critical section's entry, change or exit.
// Everything else in a critical section is invisible to others, so it needs no step of its own. Functions are
// modelled under their names: limiter_state::try_take, close_line, open_line; timed_limiter_state::wait,
// plan, wake, left, give_back; wait_queue::cancel. Time is `made`, the tokens made so far, and a thread of
// its own moves it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace dspu::schedules {

// Ways to get it wrong, for showing that the search finds each.
enum class limiter_flaw {
  none,
  fast_path_ignores_the_line,    // try_take takes although bit 0 is set
  line_is_not_closed,            // wait leaves bit 0 as it is
  wake_opens_the_line,           // wake stores the level without bit 0, though some wait on
  cancel_does_not_plan,          // left() arms no timer for the new head
  line_is_not_opened,            // plan() leaves bit 0 set when the line is empty
  open_before_unlinking,         // … the line opened by whoever cancels, though others wait
  wake_ignores_the_plan_number,  // an old timer's handler acts on the new plan's timer
  line_is_closed_by_a_store,     // … or sets it in a word it has read before: a take in between is undone
  give_back_does_not_plan,       // those in line are not told of what came back
};

class limiter_model {
 public:
  // Threads 0–2 acquire, 1 by async_acquire, the others by acquire; 3 cancels 0's wait; 4 tries; 5 is the
  // timer's handler; 6 destroys 1 if it was granted, before it hears; 7 is the time.
  static constexpr int acquirers = 3;
  static constexpr int threads = 8;
  static constexpr int capacity = 3;
  static constexpr int last_tick = 3;  // no more than `capacity`, from empty: so the bucket never overflows

  // Acquirers with an amount of 0 and the threads not in `cast` stay away.
  limiter_model(std::array<int, acquirers> amounts, std::initializer_list<int> cast,
                limiter_flaw flaw = limiter_flaw::none)
      : amounts_(amounts), flaw_(flaw) {
    for (int i = 0; i < acquirers; ++i)
      present_[static_cast<std::size_t>(i)] = amounts[static_cast<std::size_t>(i)] > 0;
    for (const int thread : cast) present_[static_cast<std::size_t>(thread)] = true;
    present_[waker] = present_[ticker] = true;
  }

  static constexpr int newcomer = 1;
  static constexpr int canceller = acquirers;
  static constexpr int trier = acquirers + 1;
  static constexpr int waker = acquirers + 2;
  static constexpr int destroyer = acquirers + 3;
  static constexpr int ticker = acquirers + 4;

  template <class Next>
  void step(int thread, const Next& next) const {
    if (!present_[static_cast<std::size_t>(thread)]) return;
    limiter_model m(*this);
    if (!m.advance(thread)) return;
    m.forget();
    next(m);
  }

  std::string fault() const {
    if (!fault_.empty()) return fault_;
    if (!locked() && (word_ & 1) != (line_ == 0 ? 0 : 1)) {
      return line_ == 0 ? "the line is empty, but closed" : "the line is open, though somebody waits";
    }
    return "";
  }

  std::string end_fault() const {
    if (locked()) return "the lock was left locked";
    for (int i = 0; i < acquirers; ++i) {
      const auto& t = threads_[static_cast<std::size_t>(i)];
      if (present_[static_cast<std::size_t>(i)] && t.at != place::done && t.at != place::waiting)
        return "an acquirer is stuck";
    }
    if (granted_ + capacity != (word_ >> 1)) return "tokens were lost or minted";
    if (line_ != 0 && can_take(word_ >> 1, amounts_[static_cast<std::size_t>(front())])) {
      return "a wake-up was lost: the head of the line has its tokens and sleeps";
    }
    return "";
  }

  std::string key() const {
    std::string k;
    const auto put = [&k](int v) { k.push_back(static_cast<char>(v)); };
    for (const auto& t : threads_) {
      put(static_cast<int>(t.at));
      put(t.seen);
      put(t.now);
      put(t.outdated);
    }
    for (const int v : {word_, made_, owner_, line_, armed_ ? 1 : 0, due_, granted_, posted_ ? 1 : 0}) put(v);
    return k + fault_;
  }

 private:
  enum class place : std::uint8_t {
    start,        // acquire: before Clock::now()
    load,         // try_take: before the load
    exchange,     // try_take: before the compare-and-swap
    wait_lock,    // wait: before the lock
    look,         // wait, of who is new here: before try_take's load
    take,         // … and before its compare-and-swap
    join,         // wait: push_back and close_line
    arm,          // wait: plan
    waiting,      // in the line, or granted and not yet told
    cancel_lock,  // cancel, wake, give_back: before the lock
    change,       // their critical section
    store,        // wake: the store of the word
    done
  };
  struct thread_state {
    place at = place::start;
    int seen = 0;           // the word as last loaded
    int now = 0;            // `made` as last read
    bool outdated = false;  // wake: there has been a new plan since its timer went off
  };

  bool locked() const { return owner_ >= 0; }
  bool lock(int thread) {
    if (locked()) return false;
    owner_ = thread;
    return true;
  }

  // token_bucket::take with units of whole tokens.
  static bool fits(int level, int n, int made) { return std::max(level, made) + n <= made + capacity; }
  bool can_take(int level, int n) const { return fits(level, n, made_); }

  // The line: three bits an acquirer, head lowest, of its number plus one.
  int front() const { return (line_ & 7) - 1; }
  void push_back(int who) {
    int shift = 0;
    while (((line_ >> shift) & 7) != 0) shift += 3;
    line_ |= (who + 1) << shift;
  }
  bool remove(int who) {
    int kept = 0;
    int shift = 0;
    bool found = false;
    for (int rest = line_; rest != 0; rest >>= 3) {
      if ((rest & 7) == who + 1) {
        found = true;
        continue;
      }
      kept |= (rest & 7) << shift;
      shift += 3;
    }
    line_ = kept;
    return found;
  }

  void grant(int who) {
    granted_ += amounts_[static_cast<std::size_t>(who)];
    threads_[static_cast<std::size_t>(who)].at = place::done;
  }

  // Under the lock. While the line is closed nobody else writes the word, so its load and store are one step.
  void plan() {
    threads_[waker].outdated = true;
    armed_ = line_ != 0;
    if (line_ == 0) {
      due_ = 0;
      if (flaw_ != limiter_flaw::line_is_not_opened) word_ &= ~1;
      return;
    }
    due_ = (word_ >> 1) + amounts_[static_cast<std::size_t>(front())] - capacity;  // ready_at
  }

  bool advance(int thread) {
    if (thread < acquirers) return acquire(thread);
    if (thread == canceller) return cancel();
    if (thread == trier) return try_acquire();
    if (thread == waker) return wake();
    if (thread == destroyer) return destroy();
    if (made_ == last_tick) return false;
    ++made_;
    return true;
  }

  // The three steps of try_take. Says by `out` where to go on if it fails.
  bool try_take(thread_state& t, int n, place out) {
    const bool ignores = flaw_ == limiter_flaw::fast_path_ignores_the_line;
    if (t.at == place::start) {
      t.now = made_;
      t.at = place::load;
    } else if (t.at == place::load) {
      t.seen = word_;
      const bool closed = (t.seen & 1) != 0 && !ignores;
      t.at = closed || !fits(t.seen >> 1, n, t.now) ? out : place::exchange;
    } else {
      if (word_ != t.seen) {
        t.at = place::load;  // the failed exchange has loaded the word anew
        return true;
      }
      if (line_ != 0) fault_ = "somebody barged in before those who wait";
      word_ = ((t.seen >> 1) + n) << 1 | (word_ & 1);
      granted_ += n;
      t.at = place::done;
    }
    return true;
  }

  bool acquire(int thread) {
    auto& t = threads_[static_cast<std::size_t>(thread)];
    const int n = amounts_[static_cast<std::size_t>(thread)];
    switch (t.at) {
      case place::start:
        if (thread == newcomer) return take_the_lock(t, thread);
        return try_take(t, n, place::wait_lock);
      case place::load:
      case place::exchange:
        return try_take(t, n, place::wait_lock);
      case place::wait_lock:
        return take_the_lock(t, thread);
      case place::look:
        t.seen = word_;
        t.at = (t.seen & 1) != 0 || !fits(t.seen >> 1, n, t.now) ? place::join : place::take;
        return true;
      case place::take:
        return take_in_wait(t, n);
      case place::join: {
        const bool first = line_ == 0;
        push_back(thread);
        if (first) close_line(t);
        if (!first) owner_ = -1;
        t.at = first ? place::arm : place::waiting;
        return true;
      }
      case place::arm:
        plan();
        owner_ = -1;
        t.at = place::waiting;
        return true;
      default:
        return false;
    }
  }

  bool take_the_lock(thread_state& t, int thread) {
    if (!lock(thread)) return false;
    t.now = made_;
    t.seen = word_;
    t.at = thread == newcomer ? place::look : place::join;
    return true;
  }

  // The compare-and-swap of try_take, within wait: it completes through its executor, and may be destroyed on
  // the way.
  bool take_in_wait(thread_state& t, int n) {
    if (word_ != t.seen) {
      t.at = place::look;
      return true;
    }
    word_ = ((t.seen >> 1) + n) << 1;
    granted_ += n;
    posted_ = true;
    owner_ = -1;
    t.at = place::done;
    return true;
  }

  // A fetch_or: one step.
  void close_line(const thread_state& t) {
    if (flaw_ == limiter_flaw::line_is_closed_by_a_store) {
      word_ = t.seen | 1;
    } else if (flaw_ != limiter_flaw::line_is_not_closed) {
      word_ |= 1;
    }
  }

  // wait_queue::cancel of acquirer 0's wait: at any moment once it waits.
  bool cancel() {
    auto& t = threads_[canceller];
    auto& victim = threads_[0];
    if (t.at == place::start) {
      if (victim.at != place::waiting || !lock(canceller)) return false;
      t.at = place::change;
      return true;
    }
    if (t.at != place::change) return false;
    const bool was_front = line_ != 0 && front() == 0;
    if (remove(0)) {
      victim.at = place::done;
      if (flaw_ == limiter_flaw::open_before_unlinking) word_ &= ~1;
      if (was_front && flaw_ != limiter_flaw::cancel_does_not_plan) plan();
      if (line_ == 0 && flaw_ == limiter_flaw::cancel_does_not_plan) word_ &= ~1;
    }
    owner_ = -1;
    t.at = place::done;
    return true;
  }

  bool try_acquire() {
    auto& t = threads_[trier];
    if (t.at == place::done) return false;
    return try_take(t, 1, place::done);
  }

  // The timer's handler: runs when what was armed is due, and is ready again for the next.
  bool wake() {
    auto& t = threads_[waker];
    switch (t.at) {
      case place::start:
        if (!armed_ || made_ < due_) return false;
        t.outdated = armed_ = false;  // it has gone off
        t.at = place::cancel_lock;
        return true;
      case place::cancel_lock:
        if (!lock(waker)) return false;
        t.at = place::change;
        return true;
      case place::change: {
        if (t.outdated && flaw_ != limiter_flaw::wake_ignores_the_plan_number) {
          owner_ = -1;
          t.at = place::start;
          return true;
        }
        int level = word_ >> 1;
        while (line_ != 0) {
          const int who = front();
          const int n = amounts_[static_cast<std::size_t>(who)];
          if (!fits(level, n, made_)) break;
          level += n;
          remove(who);
          grant(who);
          posted_ = posted_ || who == newcomer;
        }
        t.seen = level << 1 | (flaw_ == limiter_flaw::wake_opens_the_line ? 0 : 1);
        t.at = place::store;
        return true;
      }
      case place::store:
        word_ = t.seen;
        plan();
        owner_ = -1;
        t.at = place::start;
        return true;
      default:
        return false;
    }
  }

  // waiter_owner: the newcomer was granted and its context is destroyed before it hears; then
  // limiter_state::give_back.
  bool destroy() {
    auto& t = threads_[destroyer];
    if (t.at == place::start) {
      if (!posted_ || !lock(destroyer)) return false;
      t.at = place::change;
      return true;
    }
    if (t.at != place::change) return false;
    word_ -= amounts_[newcomer] << 1;  // fetch_sub
    granted_ -= amounts_[newcomer];
    if (line_ != 0 && flaw_ != limiter_flaw::give_back_does_not_plan) plan();
    owner_ = -1;
    t.at = place::done;
    return true;
  }

  // What a thread will not look at again must not tell states apart.
  void forget() {
    for (auto& t : threads_) {
      const bool taking = t.at == place::exchange || t.at == place::take;
      const bool writing = t.at == place::store || t.at == place::join;
      if (!taking && t.at != place::load && t.at != place::look) t.now = 0;
      if (!taking && !writing) t.seen = 0;
      if (t.at == place::start) t.outdated = false;
    }
  }

  std::array<int, acquirers> amounts_;
  limiter_flaw flaw_;
  std::array<bool, threads> present_{};
  std::array<thread_state, threads> threads_{};
  int word_ = capacity << 1;  // starts empty
  int made_ = 0;
  int owner_ = -1;
  int line_ = 0;
  bool armed_ = false;
  int due_ = 0;
  int granted_ = 0;
  bool posted_ = false;  // the newcomer's grant is on its way
  std::string fault_;
};

}  // namespace dspu::schedules
