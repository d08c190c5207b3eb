#include "dspu/aio/detail/limiter_state.hpp"

#include "dspu/aio/error.hpp"
#include "dspu/core/check.hpp"
#include "limiter_session.hpp"

#include <algorithm>
#include <string>

namespace dspu::aio::detail {

namespace {

// How far a late wake may lag behind before the line loses rate: a stalled loop must not end in a flood.
duration longest_lag(const rate_limiter_options& o) {
  core::require(o.wake_interval >= duration{0}, "rate_limiter.wake_interval", o.wake_interval,
                "at least 0 s");
  const auto interval = std::min<duration>(o.wake_interval, duration::max() / 4);
  return std::max<duration>(std::chrono::milliseconds{10}, 4 * interval);
}

// All bandwidths, the first one first.
struct bandwidths {
  explicit bandwidths(const rate_limiter_options& o) : count(1 + o.also.size()) {
    core::require(count <= core::token_buckets::most, "rate_limiter.also's size",
                  static_cast<std::int64_t>(o.also.size()), "at most 3");
    all[0] = {.rate = o.rate, .per = o.per, .capacity = o.capacity};
    for (std::size_t i = 1; i < count; ++i) {
      const bandwidth& b = o.also[i - 1];
      all[i] = {.rate = b.rate, .per = b.per, .capacity = b.capacity};
    }
  }
  std::span<const core::token_bucket_options> span() const { return {all.data(), count}; }

  std::array<core::token_bucket_options, core::token_buckets::most> all;
  std::size_t count;
};

}  // namespace

void throw_aborted() { throw boost::system::system_error(asio::error::operation_aborted); }

void limiter_state::refusals::complete() {
  late.complete(errc::would_exceed_deadline);
  too_large.complete(too_large_code());
}

limiter_state::limiter_state(const rate_limiter_options& options, const timekeeper& time)
    : wait_queue(&time),
      max_waiters(options.max_waiters),
      shadow(options.shadow),
      counts_all(options.count_all),
      wake_interval_(options.wake_interval),
      buckets_(bandwidths(options).span(), time.now(), longest_lag(options)),
      capacity_(buckets_.capacity()),
      locked_for_good_(options.shadow || !options.also.empty()) {
  open_lane(locked_for_good_ ? closed | look : 0);
}

void limiter_state::open_lane(std::int64_t word) {
  lane_.store(&lanes_.emplace_back(buckets_.bucket(0), word), std::memory_order_release);
}

void limiter_state::reject_tokens(double n) const {
  const std::string range = "above 0 and at most the capacity, " + std::to_string(capacity());
  core::reject("rate_limiter.acquire's n", n, range);
}

bool limiter_state::take_with_lock(double n, instant now, bool waits, instant deadline) {
  waiter_list due;
  refusals refused;
  bool taken = true;
  {
    const session with_lock(*this);
    if (shadow) {
      take_in_shadow(n, now, waits, deadline);
      return true;
    }
    if (overdue(now)) go_on(now, due, refused);
    grant_reserved(now);
    taken = empty() && n <= buckets_.capacity() && buckets_.take(n, now);
    if (taken) granted_.fetch_add(1, std::memory_order_relaxed);
    if (!taken && !waits && !counts_all) refused_.fetch_add(1, std::memory_order_relaxed);
  }
  refused.complete();
  due.complete(error_code{});
  return taken;
}

limiter_state::instant limiter_state::take_as_shadow(double n, instant now, instant deadline) {
  const session with_lock(*this);
  return take_in_shadow(n, now, true, deadline);
}

limiter_state::instant limiter_state::take_in_shadow(double n, instant now, bool waits, instant deadline) {
  const bool in_time = now <= deadline;
  if (in_time && buckets_.take(n, now)) {
    granted_.fetch_add(1, std::memory_order_relaxed);
    return instant::min();
  }
  const auto ready = buckets_.ready_at(buckets_.amount_of(n));
  if (in_time && waits && ready <= deadline) {
    buckets_.take_ahead(n, now);
    granted_.fetch_add(1, std::memory_order_relaxed);
    ++waited_;
  } else {
    refused_.fetch_add(1, std::memory_order_relaxed);
  }
  return ready;
}

void limiter_state::begin() {
  const auto word = lane_.load(std::memory_order_relaxed)->word.fetch_or(closed | look, std::memory_order_acq_rel);
  buckets_.set_level(0, (word & ~look) >> 1);
}

void limiter_state::end() {
  const waiter* const head = next();
  std::int64_t word = buckets_.level(0) << 1;
  if (locked_for_good_ || (head != nullptr && head->passive())) {
    word |= closed | look;
  } else if (head != nullptr) {
    word |= closed;
  }
  lane_.load(std::memory_order_relaxed)->word.store(word, std::memory_order_release);
}

std::optional<wait_refusal> limiter_state::refusal(const wait_request& request) {
  const session with_lock(*this);
  const auto no = would_exceed(request, now());
  if (no) refused_.fetch_add(1, std::memory_order_relaxed);
  return no;
}

template <class Condition>
void limiter_state::go_on_if(const Condition& condition, const asio::execution_context* here) {
  waiter_list due;
  refusals refused;
  {
    const session with_lock(*this);
    if (const auto at = now(); condition(at)) go_on(at, due, refused, here);
  }
  // First those who are posted: whoever is called may destroy a context, which waits for them.
  refused.complete();
  due.complete(error_code{}, here);
}

void limiter_state::wait(waiter_ptr w, bool new_here) {
  waiter_list done;
  waiter_list due;
  refusals refused;
  error_code ec;
  {
    const session with_lock(*this);
    const auto at = now();
    if (overdue(at)) go_on(at, due, refused);
    ec = admit(w, new_here, at, done);
    if (w != nullptr) done.push_back(*w.release());
  }
  refused.complete();
  due.complete(error_code{});
  done.complete(ec);
}

void limiter_state::resumed(const asio::execution_context* here) {
  go_on_if([this](instant at) { return overdue(at); }, here);
}

// Says when the timer is to wake. If the loop is too busy for that, those due are let go by whoever comes by, or their tokens
// would be lost. No sooner than an interval late: each time costs a timer.
void limiter_state::wake_at(instant t) {
  wake_at_ = t;
  const auto late = std::max(wake_interval_, duration{std::chrono::microseconds{100}});
  overdue_from_.store(core::add_saturating(t, late).time_since_epoch().count(), std::memory_order_relaxed);
}

// Takes `w` if it is to wait, or into the list if it is granted; else says how to complete it.
error_code limiter_state::admit(waiter_ptr& w, bool new_here, instant now, waiter_list& granted) {
  const wait_request& request = w->request();
  if (shadow) {
    take_in_shadow(request.amount, now, true, request.deadline);
    return {};
  }
  grant_reserved(now);
  if (request.amount > buckets_.capacity()) return too_large_code();
  const auto no = would_exceed(request, now);
  if (no && request.refusal != nullptr) *request.refusal = *no;
  if (!no && new_here && empty() && buckets_.take(request.amount, now)) {
    granted_.fetch_add(1, std::memory_order_relaxed);
    grant_newcomer_into(granted, *w.release());
    return {};
  }
  if (no || size() >= max_waiters) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return no ? errc::would_exceed_deadline : errc::queue_full;
  }
  enter(*w.release());
  return {};
}

void limiter_state::rethrow_as_refused(error_code ec, double n, const wait_refusal& no) const {
  if (ec == errc::would_exceed_deadline) throw deadline_error(no.needed, no.remaining);
  if (ec == errc::queue_full) throw queue_full_error(max_waiters);
  if (ec == too_large_code()) reject_tokens(n);
}

std::exception_ptr limiter_state::told(error_code ec, const wait_request& request) const {
  try {
    rethrow_as_refused(ec, request.amount, {});
  } catch (...) {
    return std::current_exception();
  }
  return wait_queue::told(ec, request);
}

void limiter_state::reserve(reserved_place& place) {
  const session with_lock(*this);
  const auto at = now();
  const wait_request& request = place.request();
  if (shadow) take_in_shadow(request.amount, at, true, request.deadline);
  grant_reserved(at);
  const auto no = shadow ? std::nullopt : would_exceed(request, at);
  if (shadow || (!no && empty() && buckets_.take(request.amount, at))) {
    if (!shadow) granted_.fetch_add(1, std::memory_order_relaxed);
    place.granted_at = at;
    return;
  }
  if (no || size() >= max_waiters) refused_.fetch_add(1, std::memory_order_relaxed);
  if (no) throw deadline_error(no->needed, no->remaining);
  if (size() >= max_waiters) throw queue_full_error(max_waiters);
  enter(place);
}

// A reservation asks how it stands: who is due in front of it goes now, though the wake for that is still to
// come.
void limiter_state::grant_all_due(waiter_list& due) {
  grant_due(now(), due, nullptr);
  if (planned_ == nullptr) plan(instant::min());
}

core::instant limiter_state::ready_at(reserved_place& place) {
  waiter_list due;
  instant ready;
  {
    const session with_lock(*this);
    grant_all_due(due);
    ready = when(place);
  }
  due.complete(error_code{});
  return ready;
}

bool limiter_state::use(reserved_place& place) {
  waiter_list due;
  bool granted = false;
  {
    const session with_lock(*this);
    grant_all_due(due);
    granted = place.granted_at.has_value();
  }
  due.complete(error_code{});
  return granted;
}

void limiter_state::drop(reserved_place& place) {
  const session with_lock(*this);
  grant_reserved(now());
  if (queued(place)) {
    remove(place);
  } else if (place.granted_at && !shadow) {
    buckets_.give_back(place.amount());
  }
  plan(instant::min());
}

// What is to be done when the planned waiter is due.
void limiter_state::go_on(instant at, waiter_list& due, refusals& refused, const asio::execution_context* here) {
  at_risk_ = at_risk_ || (bounded_ > 0 && at > core::add_saturating(planned_at_, buckets_.lag()));
  grant_due(at, due, here);
  if (at_risk_ && at >= first_deadline_) refuse_hopeless(at, refused);
  plan(core::add_saturating(at, wake_interval_));
}

void limiter_state::wake(std::uint64_t plan_number, const asio::execution_context& here) {
  go_on_if([&](instant) { return plan_number == plan_; }, &here);
}

// Does what changes the plans of all, with the lock; those whom it leaves no hope are told without it.
template <class Change>
void limiter_state::change(const Change& apply) {
  refusals refused;
  waiter_list due;
  {
    const session with_lock(*this);
    const auto at = now();
    grant_reserved(at);
    apply(at);
    if (shadow) let_all_go(at, due);
    ahead_ = {};
    visit_in_order(nullptr, [&](const waiter*, const wait_request& r) {
      ahead_ += buckets_.amount_of(r.amount);
      return seen::served;
    });
    refuse_hopeless(at, refused);
    plan(instant::min());
  }
  refused.complete();
  due.complete(error_code{});
}

void limiter_state::give_back(double n) {
  const session with_lock(*this);
  buckets_.give_back(n);
  if (!empty()) plan(instant::min());
}

void limiter_state::set_bandwidth(double rate, duration per) {
  change([&](instant at) {
    replace({.rate = rate, .per = per, .capacity = buckets_.bucket(0).capacity()}, at);
  });
}

void limiter_state::set_capacity(double capacity) {
  change([&](instant at) {
    const auto& b = buckets_.bucket(0);
    replace({.rate = b.rate(), .per = b.per(), .capacity = capacity}, at);
  });
}

void limiter_state::drain(instant until) {
  change([&](instant at) { buckets_.drain(at, until); });
}

void limiter_state::replace(const core::token_bucket_options& options, instant at) {
  buckets_.replace(0, options, at);
  first_bucket_changed();
  revision_.fetch_add(1, std::memory_order_relaxed);
}

void limiter_state::first_bucket_changed() {
  capacity_.store(buckets_.capacity(), std::memory_order_relaxed);
  if (lanes_.size() < most_lanes) {
    open_lane(closed | look);
  } else {
    out_of_lanes_ = locked_for_good_ = true;
  }
}

void limiter_state::reconfigure(const rate_limiter_options& options) {
  const bandwidths wanted(options);
  const duration lag = longest_lag(options);
  change([&](instant at) {
    const core::token_bucket before = buckets_.bucket(0);
    buckets_.reconfigure(wanted.span(), at, lag);
    const core::token_bucket& after = buckets_.bucket(0);
    const bool same = before.rate() == after.rate() && before.per() == after.per() && before.capacity() == after.capacity();
    if (!same) first_bucket_changed();
    capacity_.store(buckets_.capacity(), std::memory_order_relaxed);
    max_waiters = options.max_waiters;
    shadow = options.shadow;
    counts_all = options.count_all;
    wake_interval_ = options.wake_interval;
    locked_for_good_ = out_of_lanes_ || options.shadow || wanted.count > 1;
  });
  revision_.fetch_add(1, std::memory_order_relaxed);
}

rate_limiter_options limiter_state::options() const {
  const std::lock_guard lock(mutex_);
  const auto as_given = [this](std::size_t i) {
    const auto& b = buckets_.bucket(i);
    return bandwidth{.rate = b.rate(), .per = b.per(), .capacity = b.capacity()};
  };
  const bandwidth first = as_given(0);
  rate_limiter_options o{.rate = first.rate, .per = first.per, .capacity = first.capacity};
  o.wake_interval = wake_interval_;
  o.max_waiters = max_waiters;
  for (std::size_t i = 1; i < buckets_.count(); ++i) o.also.push_back(as_given(i));
  o.shadow = shadow;
  o.count_all = counts_all;
  return o;
}

bool limiter_state::is_fresh(instant now) {
  const session with_lock(*this);
  grant_reserved(now);
  return empty() && outside() == 0 && buckets_.full(now);
}

core::token_bucket limiter_state::bucket() const {
  const std::lock_guard lock(mutex_);
  return buckets_.bucket(0);
}

double limiter_state::available(instant now) {
  const lane& l = *lane_.load(std::memory_order_acquire);
  const auto word = l.word.load();
  if (word >= 0) return l.bucket.available(word >> 1, now);
  const session with_lock(*this);
  grant_reserved(now);
  return buckets_.available(now);
}

std::size_t limiter_state::waiters() {
  const session with_lock(*this);
  grant_reserved(now());
  return size() + outside();
}

rate_limiter_statistics limiter_state::statistics() {
  const session with_lock(*this);
  const auto at = now();
  grant_reserved(at);
  return {.granted = granted_.load(std::memory_order_relaxed),
          .waited = waited_,
          .refused = refused_.load(std::memory_order_relaxed),
          .waiting = size() + outside(),
          .tokens = buckets_.available(at)};
}

}  // namespace dspu::aio::detail
