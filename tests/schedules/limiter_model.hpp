// The limiter's fast path and its line, step by step, as in include/dspu/aio/detail/limiter_state.hpp.
//
// Each step is one access to the lane's word or to the lane, or one critical section's entry, change or exit.
// Everything else in a critical section is invisible to others, so it needs no step of its own. What it models:
// limiter_state's try_take, take_with_lock, wait, plan, wake, left, give_back, reserve, drop, set_bandwidth, and its
// session (begin, end); wait_queue::cancel. Time is `made`, the tokens made so far, and a thread of
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
  line_is_closed_by_a_store,     // … or sets it in a word it has read before: a take in between is undone
  give_back_does_not_plan,       // those in line are not told of what came back
  look_is_ignored,               // a try that is told to look refuses instead
  nobody_looks,                  // a reservation at the head of the line closes it without a look
  old_lane_is_left_open,         // another rate leaves the word of the old one open
  reservation_is_dropped_unplanned,  // those behind a cancelled reservation wait on
};

class limiter_model {
 public:
  // Threads 0–2 acquire, 1 by async_acquire, the others by acquire; 3 cancels 0's wait; 4 tries; 5 is the
  // timer's handler; 6 destroys 1 if it was granted, before it hears; 7 is the time;
  // 8 reserves one token and cancels that; 9 changes the rate.
  static constexpr int acquirers = 3;
  static constexpr int threads = 10;
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
  static constexpr int reserver = acquirers + 5;
  static constexpr int changer = acquirers + 6;

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
    if (locked()) return "";
    if ((word() & closed) != (line_ == 0 ? 0 : closed)) {
      return line_ == 0 ? "the line is empty, but closed" : "the line is open, though somebody waits";
    }
    if (((word() & look) != 0) != (front() == reserver)) return "who comes by looks in vain, or does not look";
    return "";
  }

  std::string end_fault() const {
    if (locked()) return "the lock was left locked";
    for (int i = 0; i < acquirers; ++i) {
      const auto& t = threads_[static_cast<std::size_t>(i)];
      if (present_[static_cast<std::size_t>(i)] && t.at != place::done && t.at != place::waiting)
        return "an acquirer is stuck";
    }
    if (granted_ + capacity != (level_of(word()))) return "tokens were lost or minted";
    if (line_ != 0 && can_take(level_of(word()), amounts_[static_cast<std::size_t>(front())])) {
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
      put(t.lane);
      put(t.waits);
      put(t.outdated);
    }
    for (const int v : {words_[0], words_[1], lane_, made_, owner_, line_, armed_ ? 1 : 0, due_, granted_,
                        posted_ ? 1 : 0, made_place_ ? 1 : 0, reserved_ ? 1 : 0}) {
      put(v);
    }
    return k + fault_;
  }

 private:
  enum class place : std::uint8_t {
    start,     // before Clock::now() and the load of the lane
    load,      // try_take: before the load
    exchange,  // try_take: before the compare-and-swap
    look,      // take_with_lock: before the lock
    looking,   // … and with it
    lock,      // wait, wake, give_back, reserve, set_bandwidth: before the lock
    store,     // the session's closing of the word, where that is wrongly not one step
    change,    // what it does, up to the word's being put back and the lock released
    replace,   // set_bandwidth: the new lane is there, its word still closed
    waiting,   // in the line, or granted and not yet told
    done
  };
  struct thread_state {
    place at = place::start;
    int seen = 0;           // the word as last loaded
    int now = 0;            // `made` as last read
    int lane = 0;           // as last loaded
    bool waits = false;     // the lock is for wait, not for a look
    bool outdated = false;  // wake: there has been a new plan since its timer went off
  };

  static constexpr int closed = 1;
  static constexpr int look = 64;  // above any level here
  static int level_of(int word) { return (word & ~look) >> 1; }

  int& word() { return words_[static_cast<std::size_t>(lane_)]; }
  int word() const { return words_[static_cast<std::size_t>(lane_)]; }
  int amount(int who) const { return who == reserver ? 1 : amounts_[static_cast<std::size_t>(who)]; }
  thread_state& state(int thread) { return threads_[static_cast<std::size_t>(thread)]; }

  bool locked() const { return owner_ >= 0; }

  // The head of a session: the lock, and the word closed to all. Then `next`.
  bool begin(int thread, place next) {
    auto& t = state(thread);
    if (t.at == place::store) {
      word() = t.seen | closed | look;
      t.at = next;
      return true;
    }
    if (locked()) return false;
    owner_ = thread;
    t.seen = word();
    const bool by_store = flaw_ == limiter_flaw::line_is_closed_by_a_store;
    if (!by_store) word() |= closed | look;
    t.at = by_store ? place::store : next;
    return true;
  }

  // The end of it: the word is put back as the line is now.
  void end(int thread, int level, place next) {
    const int head = front();
    int flags = head < 0 ? 0 : head == reserver ? closed | look : closed;
    if (flaw_ == limiter_flaw::line_is_not_closed && thread < acquirers) flags = 0;
    if (flaw_ == limiter_flaw::wake_opens_the_line && thread == waker) flags = 0;
    if (flaw_ == limiter_flaw::line_is_not_opened && (thread == waker || thread == canceller)) flags |= closed;
    if (flaw_ == limiter_flaw::nobody_looks) flags &= ~look;
    word() = level << 1 | flags;
    owner_ = -1;
    state(thread).at = next;
  }

  // token_bucket::take with units of whole tokens.
  static bool fits(int level, int n, int made) { return std::max(level, made) + n <= made + capacity; }
  bool can_take(int level, int n) const { return fits(level, n, made_); }

  // The line: three bits a place, head lowest, of its number plus one. The reserver stands in it as 3.
  static int code_of(int who) { return who == reserver ? acquirers + 1 : who + 1; }
  int front() const {
    const int code = line_ & 7;
    return code == acquirers + 1 ? reserver : code - 1;
  }
  void push_back(int who) {
    int shift = 0;
    while (((line_ >> shift) & 7) != 0) shift += 3;
    line_ |= code_of(who) << shift;
  }
  bool remove(int who) {
    int kept = 0;
    int shift = 0;
    bool found = false;
    for (int rest = line_; rest != 0; rest >>= 3) {
      if ((rest & 7) == code_of(who)) {
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
    remove(who);
    granted_ += amount(who);
    if (who == reserver) {
      reserved_ = true;
    } else {
      state(who).at = place::done;
    }
  }
  int grant_reserved(int level) {
    while (front() == reserver && can_take(level, 1)) {
      level += 1;
      grant(reserver);
    }
    return level;
  }

  // For the first who can be woken: a reservation cannot, but its tokens go first.
  void plan(int level) {
    state(waker).outdated = true;
    armed_ = false;
    due_ = 0;
    int total = 0;
    for (int rest = line_; rest != 0; rest >>= 3) {
      const bool passive = (rest & 7) == acquirers + 1;
      total += passive ? 1 : amount((rest & 7) - 1);
      if (passive) continue;
      armed_ = true;
      due_ = level + total - capacity;  // ready_at
      return;
    }
  }

  bool advance(int thread) {
    if (thread < acquirers) return acquire(thread);
    if (thread == canceller) return cancel();
    if (thread == trier) return try_acquire();
    if (thread == waker) return wake();
    if (thread == destroyer) return destroy();
    if (thread == reserver) return reserve();
    if (thread == changer) return change_rate();
    if (made_ == last_tick) return false;
    ++made_;
    return true;
  }

  // try_take, and take_with_lock where the word says so. `out` is where to go on if it fails.
  bool try_take(int thread, int n, place out) {
    auto& t = state(thread);
    switch (t.at) {
      case place::start:
        t.now = made_;
        t.lane = lane_;
        t.at = place::load;
        return true;
      case place::load: {
        t.seen = words_[static_cast<std::size_t>(t.lane)];
        const bool shut = (t.seen & closed) != 0 && flaw_ != limiter_flaw::fast_path_ignores_the_line;
        if (shut && (t.seen & look) != 0) {
          t.at = flaw_ == limiter_flaw::look_is_ignored ? out : place::look;
          if (t.at == out && line_ == 0) fault_ = "refused, though nobody waits";
        } else {
          t.at = shut || !fits(level_of(t.seen), n, t.now) ? out : place::exchange;
        }
        return true;
      }
      case place::exchange:
        exchange(t, n);
        return true;
      case place::look:
        return begin(thread, place::looking);
      case place::store:
        return begin(thread, place::looking);
      default:  // looking
        const int level = grant_reserved(level_of(word()));
        const bool taken = line_ == 0 && fits(level, n, t.now);
        granted_ += taken ? n : 0;
        end(thread, taken ? level + n : level, taken ? place::done : out);
        return true;
    }
  }

  void exchange(thread_state& t, int n) {
    int& now_there = words_[static_cast<std::size_t>(t.lane)];
    if (now_there != t.seen) {
      t.at = place::load;  // the failed exchange has loaded the word anew
      return;
    }
    if (line_ != 0) fault_ = "somebody barged in before those who wait";
    if (t.lane != lane_) fault_ = "tokens were taken from a lane that is no more";
    now_there = (level_of(t.seen) + n) << 1 | (t.seen & (closed | look));
    granted_ += n;
    t.at = place::done;
  }

  bool acquire(int thread) {
    auto& t = state(thread);
    if (t.at == place::waiting || t.at == place::done) return false;
    if (t.at == place::start && thread == newcomer) t.at = place::lock;
    if (t.at == place::lock) {
      t.waits = true;
      return begin(thread, place::change);
    }
    if (t.at == place::store && t.waits) return begin(thread, place::change);
    if (t.at == place::change) {
      join(thread);
      return true;
    }
    return try_take(thread, amount(thread), place::lock);
  }

  // limiter_state::admit: a newcomer takes if it can. It completes through its executor, and may be destroyed on the way.
  void join(int thread) {
    const int level = grant_reserved(level_of(word()));
    if (thread == newcomer && line_ == 0 && can_take(level, amount(thread))) {
      granted_ += amount(thread);
      posted_ = true;
      end(thread, level + amount(thread), place::done);
      return;
    }
    const bool first = !armed_;
    push_back(thread);
    if (first) plan(level);
    end(thread, level, place::waiting);
  }

  // wait_queue::cancel of acquirer 0's wait, at any moment once it waits. Its word is closed already.
  bool cancel() {
    auto& t = state(canceller);
    auto& victim = state(0);
    if (t.at == place::start) {
      if (victim.at != place::waiting || locked()) return false;
      owner_ = canceller;
      t.at = place::change;
      return true;
    }
    if (t.at != place::change) return false;
    if (!remove(0)) {
      owner_ = -1;
      t.at = place::done;
      return true;
    }
    victim.at = place::done;
    if (flaw_ != limiter_flaw::cancel_does_not_plan) plan(level_of(word()));
    end(canceller, level_of(word()), place::done);
    if (flaw_ == limiter_flaw::open_before_unlinking) word() &= ~closed;
    return true;
  }

  bool try_acquire() {
    if (state(trier).at == place::done) return false;
    return try_take(trier, 1, place::done);
  }

  // The timer's handler: runs when what was armed is due, and is ready again for the next.
  bool wake() {
    auto& t = state(waker);
    if (t.at == place::start) {
      if (!armed_ || made_ < due_) return false;
      t.outdated = armed_ = false;  // it has gone off
      t.at = place::lock;
      return true;
    }
    if (t.at != place::change) return begin(waker, place::change);
    int level = level_of(word());
    if (t.outdated) {
      end(waker, level, place::start);
      return true;
    }
    while (line_ != 0) {
      const int who = front();
      if (!can_take(level, amount(who))) break;
      level += amount(who);
      grant(who);
      posted_ = posted_ || who == newcomer;
    }
    plan(level);
    end(waker, level, place::start);
    return true;
  }

  // waiter_owner: the newcomer was granted and its context is destroyed before it hears; then
  // limiter_state::give_back.
  bool destroy() {
    auto& t = state(destroyer);
    if (t.at == place::done || (t.at == place::start && !posted_)) return false;
    if (t.at != place::change) return begin(destroyer, place::change);
    const int level = level_of(word()) - amounts_[newcomer];
    granted_ -= amounts_[newcomer];
    if (line_ != 0 && flaw_ != limiter_flaw::give_back_does_not_plan) plan(level);
    end(destroyer, level, place::done);
    return true;
  }

  // A reservation: made, and cancelled at some moment after that.
  bool reserve() {
    auto& t = state(reserver);
    if (t.at == place::done) return false;
    if (t.at != place::change) return begin(reserver, place::change);
    int level = grant_reserved(level_of(word()));
    if (!made_place_) {
      made_place_ = true;
      reserved_ = line_ == 0 && can_take(level, 1);
      granted_ += reserved_ ? 1 : 0;
      level += reserved_ ? 1 : 0;
      if (!reserved_) push_back(reserver);
      end(reserver, level, place::start);
      return true;
    }
    if (!remove(reserver)) {
      level -= 1;
      granted_ -= 1;
    }
    if (flaw_ != limiter_flaw::reservation_is_dropped_unplanned) plan(level);
    end(reserver, level, place::done);
    return true;
  }

  // set_bandwidth, to the same rate: what matters is that there is a new lane.
  bool change_rate() {
    auto& t = state(changer);
    if (t.at == place::done) return false;
    if (t.at == place::change) {
      const int level = level_of(word());
      if (flaw_ == limiter_flaw::old_lane_is_left_open) word() &= ~(closed | look);
      lane_ = 1;
      word() = level << 1 | closed | look;
      t.at = place::replace;
      return true;
    }
    if (t.at == place::replace) {
      const int level = grant_reserved(level_of(word()));
      plan(level);
      end(changer, level, place::done);
      return true;
    }
    return begin(changer, place::change);
  }

  // What a thread will not look at again must not tell states apart.
  void forget() {
    for (auto& t : threads_) {
      if (t.at != place::exchange && t.at != place::load && t.at != place::look && t.at != place::looking) t.now = 0;
      if (t.at != place::exchange && t.at != place::store) t.seen = 0;
      if (t.at != place::exchange && t.at != place::load) t.lane = 0;
      if (t.at == place::start) t.outdated = false;
    }
  }

  std::array<int, acquirers> amounts_;
  limiter_flaw flaw_;
  std::array<bool, threads> present_{};
  std::array<thread_state, threads> threads_{};
  std::array<int, 2> words_{capacity << 1, 0};  // starts empty
  int lane_ = 0;
  int made_ = 0;
  int owner_ = -1;
  int line_ = 0;
  bool armed_ = false;
  int due_ = 0;
  int granted_ = 0;
  bool posted_ = false;      // the newcomer's grant is on its way
  bool made_place_ = false;  // the reservation stands in line, or
  bool reserved_ = false;    // … has its tokens
  std::string fault_;
};

}  // namespace dspu::schedules
