// The sessions of one call, outermost first, and how deep it is in them.
#pragma once

#include "dspu/aio/detail/stage.hpp"

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace dspu::aio::detail {

// A call has a tuple of stages: its own, or pointers to those of a pipeline that outlives it.
template <class Stage>
const Stage& stage_in(const Stage& s) {
  return s;
}
template <class Stage>
const Stage& stage_in(const Stage* s) {
  return *s;
}
template <class Held>
using stage_type = std::remove_cvref_t<decltype(stage_in(std::declval<const Held&>()))>;

// Of such a tuple.
template <class Stages>
inline constexpr bool any_interrupts = false;
template <class... Held>
inline constexpr bool any_interrupts<std::tuple<Held...>> = (stage_type<Held>::interrupts || ...);
template <class Stages>
inline constexpr bool any_reruns = false;
template <class... Held>
inline constexpr bool any_reruns<std::tuple<Held...>> = (stage_type<Held>::reruns || ...);
template <class Stages>
inline constexpr bool any_surrounds = false;
template <class... Held>
inline constexpr bool any_surrounds<std::tuple<Held...>> = (stage_type<Held>::surrounds || ...);

template <class Stages>
class session_stack;

template <class... Held>
class session_stack<std::tuple<Held...>> {
 public:
  explicit session_stack(const std::tuple<Held...>& stages)
      : sessions_(std::apply([](const auto&... s) { return sessions(stage_in(s)...); }, stages)) {}

  // Goes down until all are entered (`go`), or one has to wait or refuses.
  entry descend(run& r) { return r.to_be_answered(depth_) ? entry::answer : descend(r, indices{}); }
  // The one that had to wait is entered now.
  void waited() { ++depth_; }
  // The only one was entered by its shortcut.
  template <class Shortcut>
  void take_over(run& r, Shortcut& s) {
    std::get<0>(sessions_).take_over(r, s);
    depth_ = 1;
  }

  bool plain() const {
    return std::apply([](const auto&... s) { return (s.plain() && ...); }, sessions_);
  }
  void succeed(run& r) { succeed(r, indices{}); }

  // Leaves one after another, until one wants to be attended or goes down again; `up`: all are left.
  next ascend(run& r, ending e) { return ascend(r, e, indices{}); }

  // The rest is for the one that it stopped at, be it by a throw.
  awaitable<void> wait(run& r) {
    return at([&](auto& s) { return s.wait(r); }, indices{});
  }
  awaitable<void> attend(run& r, ending e) {
    return at([&](auto& s) { return s.attend(r, e); }, indices{});
  }
  void answer(run& r, ending e) {
    visit([&](auto& s) { s.answer(r, e); }, indices{});
  }
  void abandon(run& r) {
    visit([&](auto& s) { s.abandon(r); }, indices{});
  }
  // It is entered again, without being asked.
  void begin_again(run& r) {
    visit([&](auto& s) { s.begin_again(r); }, indices{});
    ++depth_;
  }

 private:
  using sessions = std::tuple<typename stage_type<Held>::session...>;
  using indices = std::index_sequence_for<Held...>;
  static constexpr std::size_t size = sizeof...(Held);

  template <std::size_t... I>
  entry descend(run& r, std::index_sequence<I...>) {
    entry e = entry::go;
    static_cast<void>(((I < depth_ || enter<I>(r, e)) && ...));
    return e;
  }
  template <std::size_t I>
  bool enter(run& r, entry& e) {
    e = std::get<I>(sessions_).enter(r, I);
    if (e != entry::go) return false;
    depth_ = I + 1;
    return true;
  }

  template <std::size_t... I>
  void succeed(run& r, std::index_sequence<I...>) {
    (std::get<size - 1 - I>(sessions_).succeed(r), ...);
    depth_ = 0;
  }

  template <std::size_t... I>
  next ascend(run& r, ending e, std::index_sequence<I...>) {
    next n = next::up;
    static_cast<void>(((size - 1 - I >= depth_ || leave<size - 1 - I>(r, e, n)) && ...));
    return n;
  }
  template <std::size_t I>
  bool leave(run& r, ending e, next& n) {
    depth_ = I;  // whatever it throws, it is left
    n = std::get<I>(sessions_).leave(r, I, e);
    return n == next::up;
  }

  template <class Do, std::size_t... I>
  void visit(Do what, std::index_sequence<I...>) {
    static_cast<void>(((I == depth_ && (what(std::get<I>(sessions_)), true)) || ...));
  }
  template <class Do, std::size_t... I>
  awaitable<void> at(Do what, std::index_sequence<I...>) {
    awaitable<void> a;
    static_cast<void>(((I == depth_ && (a = what(std::get<I>(sessions_)), true)) || ...));
    return a;
  }

  sessions sessions_;
  std::size_t depth_ = 0;  // how many are entered
};

}  // namespace dspu::aio::detail
