// A policy's part in a call: what it does before the operation, and after it.
//
// The driver (detail/drive.hpp) takes a call down through its stages, runs the operation, and comes back up. Each stage has
// a session in the call:
//
//   down   enter()    go       on to the next stage in
//                     wait     await wait(), then go; or answer, if wait() has set run::answers
//                     refuse   the call does not pass: the error is in run::refusal
//                     answer   the session gives the result itself, in answer(): the operation is not run
//   up     succeed()  a value came that is no failure, and all sessions are plain(); or
//          leave()    anything else came.
//                     up       on to the next stage out
//                     attend   await attend(), then on
//                     again    await attend(); then begin_again(), and down again from here
//
// What was entered is left exactly once, by succeed() or leave(); a session may be entered again after that. abandon()
// gives back what a session holds without counting anything. It is called when enter(), wait() or leave() has thrown,
// and when attend() has thrown or its call was cancelled meanwhile, so that what a session has taken never outlives the
// step that failed. If the coroutine is destroyed, the session's destructor does the same.
//
// `level` counts from the outermost stage, 0. Nothing here is thread-safe: all of it runs on the call's executor.
#pragma once

#include "dspu/aio/call_context.hpp"
#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/observer.hpp"
#include "dspu/aio/outcome.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace dspu::aio::detail {

class cancel_scope;

enum class entry { go, wait, refuse, answer };
enum class next { up, again, attend };

// How the call stands on its way up, whatever its type is.
class ending {
 public:
  template <class T>
  explicit ending(result_slot<T>& slot) : slot_(&slot), type_(&type_of<T>) {}

  bool has_value() const { return type_->has_value(slot_); }
  // What was thrown, or null.
  std::exception_ptr error() const { return type_->error(slot_); }
  // Valid until the result is changed.
  outcome view() const { return type_->view(slot_); }
  void fail(std::exception_ptr e) { type_->fail(slot_, std::move(e)); }
  // The result itself, if it is of that type.
  template <class T>
  result_slot<T>* slot_of() const {
    return *type_->value_type == typeid(T) ? static_cast<result_slot<T>*>(slot_) : nullptr;
  }

 private:
  struct operations {
    const std::type_info* value_type;
    bool (*has_value)(void*);
    std::exception_ptr (*error)(void*);
    outcome (*view)(void*);
    void (*fail)(void*, std::exception_ptr);
  };
  template <class T>
  static result_slot<T>& as(void* p) {
    return *static_cast<result_slot<T>*>(p);
  }
  template <class T>
  static constexpr operations type_of{&typeid(T), [](void* p) { return as<T>(p).has_value(); },
                                      [](void* p) { return as<T>(p).error(); },
                                      [](void* p) { return outcome_of(as<T>(p)); },
                                      [](void* p, std::exception_ptr e) { as<T>(p).fail(std::move(e)); }};

  void* slot_;
  const operations* type_;
};

// What is kept of a call that somebody is told of; apart, so that the others do not carry it.
struct call_record {
  std::string_view pipeline;
  const classifier& judge;
  std::uint64_t number = 0;               // tells the calls of one observer apart
  std::atomic<std::int64_t> attempts{0};  // several may end at once
};

// What the stages of one call share.
struct run {
  explicit run(call_context& c) : context(c), counter{0, std::exchange(c.whole, nullptr)} {}
  run(const run&) = delete;
  run& operator=(const run&) = delete;

  static constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();

  call_context& context;
  cancel_scope* scope = nullptr;     // what the driver awaits in, if a stage may cancel that
  std::size_t interrupted = nobody;  // the outermost stage that has cancelled the driver and not yet been left
  bool revive = false;               // that stage has been left: the driver goes on as if it had not been cancelled
  core::instant enforced = core::instant::max();  // when the first timeout will cancel the driver
  bool cancelled = false;            // by the caller; looked up before each way up
  start_counter counter;             // of the operation
  std::uint64_t failures = 0;        // how often last_error was noted
  std::exception_ptr refusal = nullptr;
  bool answers = false;              // set by a stage that waits: it will answer then

  // The clock's reading at the latest step of the call without a wait in between: one for all stages that it passes.
  template <class Clock>
  core::instant now() {
    if (read_by_ != &clock_reading<Clock>) {
      reading_ = clock_reading<Clock>();
      read_by_ = &clock_reading<Clock>;
    }
    return reading_;
  }
  // Time may have passed.
  void forget_reading() { read_by_ = nullptr; }

  // Whether what came up is the work of a cancellation from outside of that stage: none of its business.
  bool cut_from_outside(std::size_t level) const { return cancelled || interrupted < level; }

  std::uint64_t starts() const { return counter.count; }

  // What that says to the stage of that level by judge(outcome). `entered_at`: the starts when it was entered. It
  // is ignored if the operation was not begun since, or if the call was cut from outside, unless it succeeded in spite of that.
  template <class Judge>
  verdict judged(std::size_t level, std::uint64_t entered_at, const outcome& o, const Judge& judge) const {
    const bool cut = cut_from_outside(level);
    if (starts() == entered_at || (cut && o.exception())) return verdict::ignored;
    const verdict v = judge(o);
    return cut && v == verdict::failure ? verdict::ignored : v;
  }

  // What an attempt failed with that was begun, for the operation and for errors to come. Not what a policy refused with: so
  // errors that carry a last error do not grow into chains.
  void note_error(const outcome& o) {
    context.last_error = o.error();
    ++failures;
  }
  // For an error that ends the call after an attempt: what was noted, or else what that one failed with.
  std::exception_ptr last_error_or(const outcome& o) const {
    return context.last_error ? context.last_error : o.error();
  }

  // Whether the stage that waited answers: if so, it does not count as entered.
  bool to_be_answered(std::size_t& depth) {
    if (!std::exchange(answers, false)) return false;
    --depth;
    return true;
  }

  entry refuse(std::exception_ptr e) {
    answers = false;
    refusal = std::move(e);
    return entry::refuse;
  }

  template <class E>
  entry refuse(E e) {
    return refuse(error_access::make(std::move(e), starts() > 0, context.last_error));
  }

  bool observed() const { return context.observer != nullptr; }
  // Tells the observer, if there is one. Where the facts cost something to find, ask observed() first.
  void tell(event_kind kind, std::string_view policy, std::string_view reason, std::initializer_list<fact> facts = {},
            const std::exception_ptr& error = nullptr) const {
    if (observed()) tell_observer(kind, policy, reason, {}, {facts.begin(), facts.size()}, error);
  }
  // The same of something that has a state, such as a circuit breaker.
  void tell_with_state(event_kind kind, std::string_view policy, std::string_view reason, std::string_view state,
                       std::span<const fact> facts, const std::exception_ptr& error = nullptr) const {
    if (observed()) tell_observer(kind, policy, reason, state, facts, error);
  }

 private:
  void tell_observer(event_kind kind, std::string_view policy, std::string_view reason, std::string_view state,
                     std::span<const fact> facts, const std::exception_ptr& error) const;

  core::instant (*read_by_)() = nullptr;
  core::instant reading_{};
};

inline double in_seconds(duration d) { return std::chrono::duration<double>(d).count(); }

std::exception_ptr aborted_error();

// What a session does unless it says otherwise.
struct session_defaults {
  // Whether succeed() is all that a value of a type that cannot hold a failure needs.
  bool plain() const { return true; }
  void succeed(run&) {}
  awaitable<void> wait(run&) { return {}; }
  void answer(run&, ending) {}
  awaitable<void> attend(run&, ending) { return {}; }
  void begin_again(run&) {}
  void abandon(run&) {}
};

// For a stage that has none.
struct no_shortcut {};

struct shortcut_defaults {
  template <class Stage>
  std::nullptr_t refusal(const Stage&) const {
    return nullptr;
  }
  template <class Stage>
  bool succeed(const Stage&) const {
    return true;
  }
};

// Tells the driver what a stage may do, so that it pays only for what is there.
struct stage_defaults {
  static constexpr bool interrupts = false;  // cancels what the driver awaits, through run::scope
  static constexpr bool reruns = false;      // goes down again: the operation's arguments are used more than once
  // Runs what is inside it as it likes, several times at once perhaps, in a coroutine of its own: instead of a session it
  // has `awaitable<T> surround<T>(const call_context&, start)`, where start(call_context) gives one run of it. All runs
  // must be on one serial executor, and have ended when that returns.
  static constexpr bool surrounds = false;
  // How a call may pass this stage, if it is the only one, without a session and all that comes with it:
  //   bool enter(stage)     the operation may be run. If false, nothing was taken
  //   refusal(stage)        then: an error if the call is refused for certain. If null, a session is entered
  //   bool succeed(stage)   a value came that is no failure, and there is nothing more to do
  // What does not end so is taken over by a session, which take_over(r, shortcut) makes as if it had been entered.
  using shortcut = no_shortcut;
  // Depends on the call's arguments: for_call(args…) gives the stage that stands in its place.
  static constexpr bool looks_at_arguments = false;
  // Whether it can deal with results of that type.
  template <class T>
  static constexpr bool accepts = true;
};

}  // namespace dspu::aio::detail
