// Counting a scenario's suspension points, and going to each.
#include "cancellation/harness.hpp"

#include <atomic>
#include <functional>
#include <thread>

namespace dspu::aio::proof {

namespace {

constexpr asio::cancellation_type types[] = {
    asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total};
constexpr std::size_t too_many_steps = 10'000;

const char* name_of(asio::cancellation_type t) {
  if (t == asio::cancellation_type::partial) return "partial";
  return t == asio::cancellation_type::total ? "total" : "terminal";
}

// Frames are counted in the scenario too, so that a scenario that never starts anything is seen to end.
awaitable<void> run_body(world& w, awaitable<void> (*body)(world&)) {
  const counted here(w.frames);
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await body(w);
}

void begin(world& w, const scenario& s) {
  if (s.prepare != nullptr) s.prepare(w);
  w.main.emplace(*w.sim, run_body(w, s.body));
}

// Up to `count` steps; fewer if the scenario ends.
std::size_t take_steps(world& w, std::size_t count) {
  std::size_t taken = 0;
  while (taken < count && !w.main->done() && w.sim->step()) ++taken;
  return taken;
}

void finish(world& w, const scenario& s) {
  if (!w.main->done()) {
    w.complain("it never ended");
    return;
  }
  if (!s.detaches) {
    if (w.frames != 0 || w.callbacks != 0) w.complain("it ended before what it had started");
    w.ended = true;
  }
  w.sim->run();
  w.check_conserved();
  w.check_usable();
}

class journal {
 public:
  explicit journal(const char* name) : name_(name) {}

  void note(std::size_t point, const char* what, const world& w) {
    ++result.points;
    if (w.complaint.empty()) return;
    result.complaints +=
        std::string(name_) + ", " + what + " after step " + std::to_string(point) + ": " + w.complaint + "\n";
  }

  findings result;

 private:
  const char* name_;
};

// How many steps it takes undisturbed.
std::size_t count_steps(const scenario& s, journal& log) {
  world w;
  begin(w, s);
  const auto steps = take_steps(w, too_many_steps);
  if (w.main->done() && w.main->aborted()) w.complain("it was aborted, though nobody cancelled it");
  finish(w, s);
  log.note(steps, "undisturbed", w);
  return steps;
}

void cancel_at(const scenario& s, std::size_t point, asio::cancellation_type type, journal& log) {
  world w;
  begin(w, s);
  take_steps(w, point);
  const auto cancelled_at = manual_clock::now();
  w.main->cancel(type);
  take_steps(w, too_many_steps);
  if (w.main->done() && !s.takes_its_time && w.main->ended_at() != cancelled_at) {
    w.complain("it went on after it was cancelled");
  }
  finish(w, s);
  log.note(point, name_of(type), w);
}

void destroy_at(const scenario& s, std::size_t point, journal& log) {
  world w;
  begin(w, s);
  take_steps(w, point);
  w.ended = true;
  w.sim.reset();
  w.check_conserved();
  w.check_usable();
  log.note(point, "destroyed", w);
}

// The blocked thread, and the loop's own thread, which is ours: only step() runs what is awaited.
class blocked {
 public:
  blocked(world& w, const blocking_scenario& s)
      : thread_([this, &w, &s, &context = w.sim->context(), stop = stop_.get_token()] {
          try {
            s.body(w, context, stop);
          } catch (...) {
            error_ = std::current_exception();
          }
          over_ = true;
        }) {}

  bool over() const { return over_; }
  void request_stop() { stop_.request_stop(); }

  // Up to `count` steps; fewer if the thread ends. Where nothing is ready, it is the thread that has
  // something to do.
  std::size_t take_steps(simulator& sim, std::size_t count) {
    std::size_t taken = 0;
    while (taken < count && !over_) sim.step() ? void(++taken) : std::this_thread::yield();
    return taken;
  }
  // What it threw, if anything.
  std::exception_ptr join() {
    thread_.join();
    return error_;
  }

 private:
  std::stop_source stop_;
  std::exception_ptr error_;
  std::atomic<bool> over_ = false;
  std::jthread thread_;  // the last member: it uses the others
};

bool is_aborted(std::exception_ptr e) {
  try {
    std::rethrow_exception(std::move(e));
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

void finish(world& w, std::exception_ptr thrown, bool disturbed) {
  if (thrown && !is_aborted(thrown)) w.complain("it threw something else than operation_aborted");
  if (thrown && !disturbed) w.complain("it was aborted, though nobody asked for it");
  if (w.frames != 0) w.complain("it returned before what it had started");
  w.ended = true;
  if (w.sim) w.sim->run();
  w.check_conserved();
  w.check_usable();
}

std::size_t count_steps(const blocking_scenario& s, journal& log) {
  world w;
  blocked b(w, s);
  const auto steps = b.take_steps(*w.sim, too_many_steps);
  finish(w, b.join(), false);
  log.note(steps, "undisturbed", w);
  return steps;
}

void stop_at(const blocking_scenario& s, std::size_t point, journal& log) {
  world w;
  blocked b(w, s);
  b.take_steps(*w.sim, point);
  const auto stopped_at = manual_clock::now();
  b.request_stop();
  b.take_steps(*w.sim, too_many_steps);
  if (manual_clock::now() != stopped_at) w.complain("it went on after it was stopped");
  finish(w, b.join(), true);
  log.note(point, "stopped", w);
}

void destroy_at(const blocking_scenario& s, std::size_t point, journal& log) {
  world w;
  blocked b(w, s);
  b.take_steps(*w.sim, point);
  w.sim.reset();
  finish(w, b.join(), true);
  log.note(point, "destroyed", w);
}

}  // namespace

findings stop_everywhere(const blocking_scenario& s) {
  journal log(s.name);
  const auto steps = count_steps(s, log);
  for (std::size_t point = 0; point <= steps; ++point) stop_at(s, point, log);
  return log.result;
}

findings destroy_everywhere(const blocking_scenario& s) {
  journal log(s.name);
  const auto steps = count_steps(s, log);
  // From the first step on: before it, the thread may still be on its way to the context, which must exist
  // then.
  for (std::size_t point = 1; point <= steps; ++point) destroy_at(s, point, log);
  return log.result;
}

findings cancel_everywhere(const scenario& s) {
  journal log(s.name);
  const auto steps = count_steps(s, log);
  for (std::size_t point = 0; point < steps; ++point) {
    for (const auto type : types) cancel_at(s, point, type, log);
  }
  return log.result;
}

findings destroy_everywhere(const scenario& s) {
  journal log(s.name);
  const auto steps = count_steps(s, log);
  for (std::size_t point = 0; point <= steps; ++point) destroy_at(s, point, log);
  return log.result;
}

}  // namespace dspu::aio::proof
