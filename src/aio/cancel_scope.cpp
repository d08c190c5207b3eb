#include "dspu/aio/detail/cancel_scope.hpp"

#include "dspu/aio/detail/posted.hpp"
#include "dspu/aio/detail/remembered_service.hpp"
#include "dspu/aio/detail/serial.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>

namespace dspu::aio::detail {

// What a scope puts into the coroutine's bottom frame. Kept for later calls on this thread: making one takes allocations,
// and while nobody else refers to it, entering its lane takes no atomic write. It is posted to the scope's executor by those
// who interrupt the scope from elsewhere.
class harness final : private posted {
 public:
  harness() = default;

  // A state of the signal that passes everything on, unless the last operation has put another in its place.
  void connect() {
    if (connected_) return;
    state = asio::cancellation_state(signal.slot(), notice(*this), asio::enable_total_cancellation());
    connected_ = true;
  }

  void clear() {
    if (connected_) state.clear();
  }

  void refer() { references_.fetch_add(1, std::memory_order_relaxed); }
  void forget() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  bool unshared() const { return references_.load(std::memory_order_acquire) == 1; }

  // From any thread, as long as a reference is held: on the scope's executor, rings the alarms whose time has come, or passes
  // a cancellation on.
  void ask_to_ring() { ask(rings); }
  void ask_to_cancel(asio::cancellation_type_t type) { ask(static_cast<unsigned>(type) & every_type); }
  // Resumes the coroutine's thread on the strand. Throws: what that throws.
  void begin_on(const asio::any_io_executor& strand, frame_base& top);

  asio::cancellation_state state;
  asio::any_io_executor executor;   // of its lane or strand, unless the scope is open: then the coroutine has it,
  asio::any_io_executor outer;      // and this is the coroutine's own
  asio::any_io_executor home;       // where it is posted
  lane* own = nullptr;              // executor refers to it
  cancel_scope* user = nullptr;     // touched on the scope's executor only
  bool* pin = nullptr;              // set instead of keeping this, if it is released while pump() needs it
  harness* next = nullptr;

 private:
  static constexpr unsigned rings = 0x80;
  static constexpr unsigned begins = 0x100;
  static constexpr unsigned every_type = static_cast<unsigned>(
      asio::cancellation_type::terminal | asio::cancellation_type::partial | asio::cancellation_type::total);

  // Lets everything pass, and notices when it is destroyed.
  class notice {
   public:
    explicit notice(harness& h) : harness_(&h) {}
    notice(notice&& other) noexcept : harness_(std::exchange(other.harness_, nullptr)) {}
    notice& operator=(notice&&) = delete;
    ~notice() {
      if (harness_ != nullptr) harness_->connected_ = false;
    }
    asio::cancellation_type_t operator()(asio::cancellation_type_t type) const {
      return asio::enable_total_cancellation()(type);
    }

   private:
    harness* harness_;
  };

  ~harness() = default;

  void ask(unsigned what) {
    if (asked_.fetch_or(what, std::memory_order_acq_rel) != 0) return;  // whoever comes for that does this too
    refer();
    post_surely_to(home);
  }
  void on_arrival() override;
  void on_shutdown() override;

  std::atomic<int> references_{1};
  std::atomic<unsigned> asked_{0};  // what it is posted for, as long as it is
  parked beginning_;
  bool connected_ = false;

 public:
  asio::cancellation_signal signal;  // destroyed first
};

namespace {

using loop_executor = asio::io_context::executor_type;
using pool_executor = asio::thread_pool::executor_type;

class harness_ref {
 public:
  explicit harness_ref(harness& h) : harness_(&h) { h.refer(); }
  // Takes over a reference that was counted.
  static harness_ref adopt(harness& h) {
    harness_ref ref;
    ref.harness_ = &h;
    return ref;
  }
  harness_ref(const harness_ref& other) : harness_ref(*other.harness_) {}
  harness_ref(harness_ref&& other) noexcept : harness_(std::exchange(other.harness_, nullptr)) {}
  harness_ref& operator=(harness_ref) = delete;
  ~harness_ref() {
    if (harness_ != nullptr) harness_->forget();
  }
  harness* operator->() const { return harness_; }

 private:
  harness_ref() = default;

  harness* harness_ = nullptr;
};

// Those that are not in use, of this thread. Plain pointers outlive all that may still be destroyed as the thread ends.
constexpr int most_idle = 128;
thread_local harness* idle_serial = nullptr;
thread_local harness* idle_laned = nullptr;
thread_local int idle_room = most_idle;
thread_local std::uint64_t idle_since = 0;  // how many services had ended when those on lanes were last looked at

struct idle_cleaner {
  idle_cleaner() = default;
  idle_cleaner(const idle_cleaner&) = delete;
  idle_cleaner& operator=(const idle_cleaner&) = delete;
  ~idle_cleaner() {
    idle_room = 0;
    for (harness** list : {&idle_serial, &idle_laned}) {
      while (*list != nullptr) std::exchange(*list, (*list)->next)->forget();
    }
  }
  void needed() const {}
};
thread_local idle_cleaner cleaner;

harness& take(harness*& from) {
  ++idle_room;
  return *std::exchange(from, from->next);
}

void keep_idle(harness& h) {
  if (idle_room == 0 || !h.unshared()) return h.forget();
  cleaner.needed();
  --idle_room;
  harness*& list = h.own != nullptr ? idle_laned : idle_serial;
  h.next = std::exchange(list, &h);
}

harness& serial_harness() { return idle_serial != nullptr ? take(idle_serial) : *new harness; }

// Lanes of a context that is gone must not be taken for those of another at its address.
void forget_lanes_of_the_dead() {
  const auto ended = remembered_services_ended.load(std::memory_order_acquire);
  if (std::exchange(idle_since, ended) == ended) return;
  while (idle_laned != nullptr) take(idle_laned).forget();
}

// The one kept last may still be in use further down this thread's stack, by the coroutine that has just been resumed.
harness& laned_harness(const asio::any_io_executor& ex) {
  forget_lanes_of_the_dead();
  harness** at = &idle_laned;
  for (int i = 0; i < 3 && *at != nullptr; ++i, at = &(*at)->next) {
    if ((*at)->own->unshared() && (*at)->own->base() == ex) return take(*at);
  }
  auto lane = make_lane(ex);
  auto* const h = new harness;
  h->executor = std::move(lane);
  h->own = lane_of(h->executor);
  return *h;
}

}  // namespace

// The caller's cancellation.
struct cancel_scope::forward {
  harness_ref to;
  bool here;
  void operator()(asio::cancellation_type_t type) const {
    if (here) {
      const harness_ref h = to;  // the operation may end inside, and destroy this
      h->signal.emit(type);
      return;
    }
    to->ask_to_cancel(type);
  }
};

// Whoever rings, or emits, may end the call, and with it the user's use of this.
void harness::on_arrival() {
  const harness_ref self = harness_ref::adopt(*this);
  const unsigned what = asked_.exchange(0, std::memory_order_acq_rel);
  if ((what & begins) != 0) beginning_.resume();
  if ((what & rings) != 0) {
    while (auto* const a = user != nullptr ? user->next_to_ring() : nullptr) {
      a->rung_ = true;
      a->ring(*user);
    }
  }
  const auto type = static_cast<asio::cancellation_type_t>(what & every_type);
  if (user != nullptr && type != asio::cancellation_type::none) signal.emit(type);
}

void harness::on_shutdown() {
  const harness_ref self = harness_ref::adopt(*this);
  if ((asked_.exchange(0, std::memory_order_acq_rel) & begins) != 0) beginning_.destroy();
}

void harness::begin_on(const asio::any_io_executor& strand, frame_base& top) {
  beginning_.park(top);
  asked_ = begins;
  refer();
  try {
    post_to(strand);
  } catch (...) {
    asked_ = 0;
    forget();
    beginning_.unpark();
    throw;
  }
}

void scope_alarm::plan(cancel_scope& scope) {
  rang_.store(false, std::memory_order_relaxed);
  rung_ = false;
  scope_ = &scope;
  before_ = std::exchange(scope.alarms_, this);
}

bool scope_alarm::disarm() {
  if (scope_ == nullptr) return rang_;
  if (std::exchange(set_, false)) unset(*this);
  std::exchange(scope_, nullptr)->alarms_ = before_;
  return rang_;
}

void scope_alarm::expire(std::unique_lock<std::mutex>& lock) {
  rang_.store(true, std::memory_order_release);
  if (scope_->ground_ != cancel_scope::ground::one_thread) return scope_->harness_->ask_to_ring();
  lock.unlock();
  ring(*scope_);
}

cancel_scope::~cancel_scope() {
  if (gone_ != nullptr) *gone_ = true;
  if (harness_ != nullptr) release();
}

cancel_scope::ground cancel_scope::ground_of(const asio::any_io_executor& ex) {
  if (const auto* loop = ex.target<loop_executor>()) {
    return is_loop_of_one_thread(loop->context()) ? ground::one_thread : ground::shared;
  }
  if (is_serial(ex)) return ground::serial;
  return ex.target<pool_executor>() != nullptr ? ground::shared : ground::other;
}

// Null if there is no memory for it: nothing has begun, and close() throws.
coroutine_thread* cancel_scope::open(frame_base& frame) noexcept {
  auto& t = running_thread::of(frame);
  try {
    enter(t);
    return &t;
  } catch (...) {
    failure_ = std::current_exception();
    return nullptr;
  }
}

void cancel_scope::enter(coroutine_thread& t) {
  bottom_ = t.entry_point();
  auto& executor = access::executor(*bottom_);
  if (ground_ == ground::unknown) ground_ = ground_of(executor);
  if (ground_ == ground::shared && harness_ != nullptr && !inside_ && !harness_->own->unshared()) release();
  if (harness_ == nullptr) {
    harness_ = ground_ == ground::shared ? &laned_harness(executor) : &serial_harness();
    harness_->user = this;
  }
  harness& h = *harness_;
  if (ground_ == ground::other && !h.executor) h.executor = asio::make_strand(executor);
  h.connect();
  if (ground_ >= ground::shared) {
    h.outer = std::move(executor);
    executor = std::move(h.executor);
  }
  outer_parent_ = std::exchange(access::parent_slot(*bottom_), h.signal.slot());
  outer_ = std::exchange(access::state(*bottom_), h.state);
  outer_throws_ = std::exchange(access::throws(*bottom_), throws_);
  open_ = true;
}

void cancel_scope::pump(frame_base& frame, coroutine_thread& t) {
  access::frame& bottom = *bottom_;
  if (ground_ == ground::other && !inside_) return start_on_strand(bottom);
  if (ground_ != ground::shared || inside_) {
    resume(bottom, frame, t);
    return;
  }

  harness& h = *harness_;
  bool released = false;
  h.pin = &released;
  h.own->enter_unshared();
  lane::scope in(*h.own);
  bool ended = false;
  try {
    ended = resume(bottom, frame, t);
  } catch (...) {
    h.pin = nullptr;
    throw;
  }
  h.pin = nullptr;
  if (ended && h.own->unshared()) {
    in.leave_unshared();
  } else {
    in.leave();
  }
  if (released) keep_idle(h);
}

// Watches over gone_ for as long as somebody may set it.
class cancel_scope::watch {
 public:
  explicit watch(cancel_scope& s) : scope_(&s) { s.gone_ = &gone; }
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;
  ~watch() {
    if (!gone) scope_->gone_ = nullptr;
  }
  bool gone = false;

 private:
  cancel_scope* scope_;
};

// Resumes the operation until it has ended, or its thread of execution has been taken over by whoever will resume it.
// Returns: whether it has ended without that.
bool cancel_scope::resume(access::frame& bottom, frame_base& frame, coroutine_thread& t) {
  watch w(*this);
  do {
    access::top(bottom)->resume();
  } while (t.entry_point() != nullptr && access::top(bottom) != &frame);
  if (t.entry_point() == nullptr) {
    if (!w.gone) suspended();
    return false;
  }
  restore();
  return true;
}

// On an executor that we know nothing of.
void cancel_scope::start_on_strand(access::frame& bottom) {
  const auto strand = access::executor(bottom);
  auto& top = *access::top(bottom);
  suspended();
  try {
    harness_->begin_on(strand, top);
  } catch (...) {
    failure_ = std::current_exception();
    restore();
  }
}

void cancel_scope::suspended() {
  inside_ = true;
  try {
    arm();
  } catch (...) {
    failure_ = std::current_exception();
  }
  const auto cancel = failure_ ? asio::cancellation_type::terminal : outer_.cancelled();
  if (cancel != asio::cancellation_type::none) harness_->signal.emit(cancel);
}

// Sees to it that the operation is cancelled in time, and when the caller is.
void cancel_scope::arm() {
  harness& h = *harness_;
  const auto& executor = access::executor(*bottom_);
  if (ground_ != ground::one_thread && !h.home) h.home = executor;
  for (scope_alarm* a = alarms_; a != nullptr && !a->set_; a = a->before_) {
    a->set(executor, *a);
    a->set_ = true;
  }
  auto slot = outer_.slot();
  if (!slot.is_connected()) return;
  slot.emplace<forward>(forward{harness_ref(h), ground_ < ground::shared});
  passes_on_ = true;
}

scope_alarm* cancel_scope::next_to_ring() {
  for (scope_alarm* a = alarms_; a != nullptr; a = a->before_) {
    if (a->set_ && !a->rung_ && a->rang_.load(std::memory_order_acquire)) return a;
  }
  return nullptr;
}

void cancel_scope::close() {
  if (open_) {
    if (gone_ != nullptr) *std::exchange(gone_, nullptr) = true;
    restore();
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void cancel_scope::restore() {
  open_ = false;
  if (ground_ >= ground::shared) {
    auto& executor = access::executor(*bottom_);
    harness_->executor = std::move(executor);
    executor = std::move(harness_->outer);
  }
  access::parent_slot(*bottom_) = outer_parent_;
  access::state(*bottom_) = outer_;
  access::throws(*bottom_) = outer_throws_;
  if (std::exchange(passes_on_, false)) outer_.slot().clear();
}

void cancel_scope::release() {
  harness& h = *std::exchange(harness_, nullptr);
  h.user = nullptr;
  if (inside_) {  // else nobody had a way to it
    h.home = {};
    h.clear();
  }
  if (open_ || ground_ == ground::other) return h.forget();
  if (h.pin != nullptr) {
    *h.pin = true;
  } else {
    keep_idle(h);
  }
}

void cancel_scope::interrupt(asio::cancellation_type_t type) { harness_->signal.emit(type); }

void cancel_scope::revive() {
  if (harness_ != nullptr) harness_->clear();
}

bool cancel_scope::cancelled_by_caller() const {
  return access::state(*bottom_).cancelled() != asio::cancellation_type::none;
}

}  // namespace dspu::aio::detail
