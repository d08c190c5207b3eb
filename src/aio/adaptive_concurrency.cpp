#include "dspu/aio/adaptive_concurrency.hpp"

#include "dspu/aio/detail/judging.hpp"
#include "dspu/core/check.hpp"

#include <random>
#include <string>

namespace dspu::aio {

verdict overload_verdict(const outcome& o) {
  if (!o.failed()) return verdict::success;
  if (o.code() == errc::would_exceed_deadline) return verdict::ignored;  // a policy gave up; no server was slow
  return o.code() == std::errc::timed_out || retry_after_of(o) ? verdict::failure : verdict::ignored;
}

namespace detail {

namespace {

core::adaptive_limit_options limit_options(const adaptive_concurrency_options& o) {
  return {.algorithm = o.algorithm,
          .initial = o.initial,
          .min = o.min,
          .max = o.max,
          .aimd = o.aimd,
          .vegas = o.vegas,
          .gradient2 = o.gradient2};
}

adaptive_concurrency_options checked(adaptive_concurrency_options o) {
  core::require(o.max_queue >= 0, "adaptive_concurrency.max_queue", o.max_queue, "at least 0");
  return o;
}

std::uint64_t seed_of(const adaptive_concurrency_options& o) {
  if (o.seed) return *o.seed;
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

const char* name_of(limit_algorithm a) {
  switch (a) {
    case limit_algorithm::aimd:
      return "aimd";
    case limit_algorithm::vegas:
      return "vegas";
    case limit_algorithm::gradient2:
      return "gradient2";
  }
  return "unknown";
}

}  // namespace

adaptive_state::adaptive_state(adaptive_concurrency_options options, const timekeeper& time)
    : options_(std::make_shared<const adaptive_concurrency_options>(checked(std::move(options)))),
      limit_(limit_options(*options_), seed_of(*options_)),
      places_(std::make_shared<places>(
          core::bulkhead_options{.limit = options_->initial, .max_queue = options_->max_queue}, time)),
      shadow_(options_->shadow),
      classifies_(options_->classify != nullptr) {}

void adaptive_state::reconfigure(adaptive_concurrency_options options) {
  auto next = std::make_shared<const adaptive_concurrency_options>(checked(std::move(options)));
  {
    const std::lock_guard lock(mutex_);
    limit_.reconfigure(limit_options(*next));
    places_->reconfigure({.limit = limit_.limit(), .max_queue = next->max_queue}, next->shadow);
    shadow_ = next->shadow;
    classifies_ = next->classify != nullptr;
    options_.swap(next);
  }
  revision_.fetch_add(1, std::memory_order_relaxed);
}

adaptive_concurrency_options adaptive_state::options() const {
  const std::lock_guard lock(mutex_);
  return *options_;
}

duration adaptive_state::baseline() const {
  const std::lock_guard lock(mutex_);
  return limit_.baseline();
}

bool adaptive_state::is_fresh() const {
  const std::lock_guard lock(mutex_);
  return in_flight() == 0 && places_->is_fresh() && limit_.is_fresh();
}

stage_facts adaptive_state::facts() const {
  const auto o = options();
  return judging({.policy = "adaptive_concurrency",
                  .text = std::string(name_of(o.algorithm)) + ", " + std::to_string(o.min) + " to " +
                          std::to_string(o.max) + " at once, " + std::to_string(o.max_queue) + " waiting",
                  .refuses_without_hint = !o.shadow,
                  .state = this,
                  .holds_places = true},
                 o.classify ? o.classify : overload_verdict);
}

verdict adaptive_state::judge(const outcome& o) const {
  if (!classifies()) return overload_verdict(o);
  std::unique_lock lock(mutex_);
  const auto options = options_;
  lock.unlock();
  return options->classify ? options->classify(o) : overload_verdict(o);
}

void adaptive_state::sample(const run& r, duration rtt, std::int64_t in_flight, bool dropped) {
  std::int64_t before = 0;
  std::int64_t after = 0;
  duration baseline{};
  {
    const std::lock_guard lock(mutex_);
    before = limit_.limit();
    after = limit_.sample(rtt, in_flight, dropped, r.context.clock());
    baseline = limit_.baseline();
    if (after != before) places_->set_limit(after);
  }
  if (after == before) return;
  r.tell(event_kind::limit_changed, "adaptive_concurrency", dropped ? "dropped" : "latency",
         {{"limit", static_cast<double>(after)},
          {"in_flight", static_cast<double>(in_flight)},
          {"rtt", in_seconds(rtt)},
          {"baseline", in_seconds(baseline)}});
}

entry adaptive_session::enter(run& r, std::size_t) {
  starts_ = r.starts();
  has_place_ = state_->line()->try_enter();
  if (!has_place_) {
    if (!state_->shadow()) return entry::wait;
    state_->count_over();
    if (r.observed()) {
      r.tell(event_kind::shadowed, "adaptive_concurrency", "full",
             {{"limit", static_cast<double>(state_->line()->snapshot().limit())},
              {"in_flight", static_cast<double>(state_->in_flight())}});
    }
  }
  begin(r);
  return entry::go;
}

awaitable<void> adaptive_session::wait_in_line(const run& r) {
  const auto came = r.observed() ? r.context.clock() : core::instant{};
  auto waiting = places::wait_for_place(state_->line());
  try {
    co_await std::move(waiting);
  } catch (const bulkhead_full_error& e) {
    r.tell(event_kind::refused, "adaptive_concurrency", "full",
           {{"limit", static_cast<double>(e.limit())}, {"waiting", static_cast<double>(e.waiting())}});
    throw;
  }
  has_place_ = true;
  begin(r);
  if (r.observed())
    r.tell(event_kind::waited, "adaptive_concurrency", "full", {{"seconds", in_seconds(began_ - came)}});
}

void adaptive_session::begin(const run& r) {
  in_flight_ = state_->begin();
  began_ = r.context.clock();
}

void adaptive_session::succeed(run& r) {
  state_->sample(r, r.context.clock() - began_, in_flight_, false);
  release();
}

next adaptive_session::leave(run& r, std::size_t level, ending e) {
  const auto took = r.context.clock() - began_;
  const auto v = r.judged(level, starts_, e.view(), [this](const outcome& o) { return state_->judge(o); });
  if (v != verdict::ignored) state_->sample(r, took, in_flight_, v == verdict::failure);
  release();
  return next::up;
}

void adaptive_session::release() {
  if (std::exchange(in_flight_, 0) > 0) state_->end();
  if (std::exchange(has_place_, false)) state_->line()->leave();
}

}  // namespace detail

}  // namespace dspu::aio
