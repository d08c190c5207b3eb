// Counting a scenario's suspension points, and going to each.
#include "cancellation/harness.hpp"

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
  explicit journal(const scenario& s) : scenario_(s) {}

  void note(std::size_t point, const char* what, const world& w) {
    ++result.points;
    if (w.complaint.empty()) return;
    result.complaints += std::string(scenario_.name) + ", " + what + " after step " + std::to_string(point) +
                         ": " + w.complaint + "\n";
  }

  findings result;

 private:
  const scenario& scenario_;
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

}  // namespace

findings cancel_everywhere(const scenario& s) {
  journal log(s);
  const auto steps = count_steps(s, log);
  for (std::size_t point = 0; point < steps; ++point) {
    for (const auto type : types) cancel_at(s, point, type, log);
  }
  return log.result;
}

findings destroy_everywhere(const scenario& s) {
  journal log(s);
  const auto steps = count_steps(s, log);
  for (std::size_t point = 0; point <= steps; ++point) destroy_at(s, point, log);
  return log.result;
}

}  // namespace dspu::aio::proof
