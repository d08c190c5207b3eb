// Stages in a row that is known only at run time: what any_policy is made of.
//
// A stage is kept with a table of what can be done to it; the sessions of a call lie one behind the other in one block.
// For the driver (detail/drive.hpp) a row is one stage, whose stack of sessions is any_stack.
#pragma once

#include "dspu/aio/detail/drive.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace dspu::aio::detail {

// A value of any type: what comes through a policy that runs its operation several times at once.
class any_result {
 public:
  template <class T>
  static any_result of(result_slot<T> slot) {
    return any_result(std::make_unique<held<T>>(std::move(slot)));
  }
  outcome view() const { return held_->view(); }
  // Requires: it holds a T.
  template <class T>
  T take() {
    return static_cast<held<T>&>(*held_).slot.take();
  }

 private:
  struct holder {
    virtual ~holder() = default;
    virtual outcome view() = 0;
  };
  template <class T>
  struct held final : holder {
    explicit held(result_slot<T> s) : slot(std::move(s)) {}
    outcome view() override { return outcome_of(slot); }
    result_slot<T> slot;
  };
  explicit any_result(std::unique_ptr<holder> h) : held_(std::move(h)) {}

  std::unique_ptr<holder> held_;
};

template <>
inline constexpr bool may_hold_failure<any_result> = true;
// Policies see the value that is in it.
inline bool holds_failure(const any_result& value) { return value.view().failed(); }
inline outcome outcome_of(result_slot<any_result>& result) {
  return result.has_value() ? result.value().view() : outcome(result.error());
}

// Gives one run of an operation. Copies are independent.
using any_start = std::function<awaitable<any_result>(const call_context&)>;

struct stage_table {
  std::size_t size;  // of a session
  // The only type of result that it can deal with as it is now; null: any. Null itself if that is always so.
  const std::type_info* (*gives)(const void* stage);
  core::instant (*clock)();  // null: it has none
  stage_facts (*facts)(const void* stage);
  void (*begin)(const void* stage, void* session);
  void (*end)(void* session) noexcept;  // null: nothing is to be done
  entry (*enter)(void* session, run&, std::size_t level);
  awaitable<void> (*wait)(void* session, run&);
  void (*answer)(void* session, run&, ending);
  bool (*plain)(const void* session);
  void (*succeed)(void* session, run&);
  next (*leave)(void* session, run&, std::size_t level, ending);
  awaitable<void> (*attend)(void* session, run&, ending);
  void (*begin_again)(void* session, run&);
  void (*abandon)(void* session, run&);
  // Of those that surround, which have no sessions; else null.
  awaitable<any_result> (*surround)(const void* stage, const call_context&, any_start);
};

template <class Stage>
constexpr auto only_type() -> const std::type_info* (*)(const void*) {
  if constexpr (requires { typename Stage::value_type; }) {
    return [](const void*) -> const std::type_info* { return &typeid(typename Stage::value_type); };
  } else if constexpr (requires(const Stage& s) { s.gives(); }) {
    return
        [](const void* stage) -> const std::type_info* { return static_cast<const Stage*>(stage)->gives(); };
  } else {
    return nullptr;
  }
}

template <class Stage>
constexpr auto own_clock() -> core::instant (*)() {
  if constexpr (std::is_void_v<typename Stage::clock_type>) {
    return nullptr;
  } else {
    return clock_reading<typename Stage::clock_type>;
  }
}

template <class Stage>
struct table_of {
  using session = typename Stage::session;
  static_assert(!Stage::looks_at_arguments, "this policy depends on the arguments of a call; it cannot be in an any_policy");
  static_assert(alignof(session) <= alignof(std::max_align_t));

  static session& as(void* p) { return *static_cast<session*>(p); }

  static constexpr stage_table value{
      sizeof(session),
      only_type<Stage>(),
      own_clock<Stage>(),
      [](const void* stage) { return static_cast<const Stage*>(stage)->facts(); },
      [](const void* stage, void* at) { ::new (at) session(*static_cast<const Stage*>(stage)); },
      std::is_trivially_destructible_v<session> ? nullptr : +[](void* p) noexcept { as(p).~session(); },
      [](void* p, run& r, std::size_t level) { return as(p).enter(r, level); },
      [](void* p, run& r) -> awaitable<void> { return as(p).wait(r); },
      [](void* p, run& r, ending e) { as(p).answer(r, e); },
      [](const void* p) { return static_cast<const session*>(p)->plain(); },
      [](void* p, run& r) { as(p).succeed(r); },
      [](void* p, run& r, std::size_t level, ending e) { return as(p).leave(r, level, e); },
      [](void* p, run& r, ending e) -> awaitable<void> { return as(p).attend(r, e); },
      [](void* p, run& r) { as(p).begin_again(r); },
      [](void* p, run& r) { as(p).abandon(r); },
      nullptr,
  };
};

template <class Stage>
  requires Stage::surrounds
struct table_of<Stage> {
  static constexpr stage_table value{
      .size = 0,
      .gives = only_type<Stage>(),
      .clock = own_clock<Stage>(),
      .facts = [](const void* stage) { return static_cast<const Stage*>(stage)->facts(); },
      .begin = nullptr,
      .end = nullptr,
      .enter = nullptr,
      .wait = nullptr,
      .answer = nullptr,
      .plain = nullptr,
      .succeed = nullptr,
      .leave = nullptr,
      .attend = nullptr,
      .begin_again = nullptr,
      .abandon = nullptr,
      .surround =
          [](const void* stage, const call_context& context, any_start start) {
            return static_cast<const Stage*>(stage)->template surround<any_result>(context, std::move(start));
          },
  };
};

// Immutable once it is in use.
class any_row {
 public:
  struct element {
    std::shared_ptr<const void> stage;
    const stage_table* table;
    std::size_t offset;  // of its session in the block
  };

  template <class Stage>
  void add(Stage stage) {
    add(std::make_shared<const Stage>(std::move(stage)), table_of<Stage>::value);
  }
  void add_all(const any_row& other);
  // Lives as long as the row and the calls through it.
  void keep(std::shared_ptr<const void> what) { kept_.push_back(std::move(what)); }

  const std::vector<element>& elements() const { return elements_; }
  std::size_t block_size() const { return block_size_; }
  // Where the first stage is, from there on, that surrounds; the size if there is none.
  std::size_t next_that_surrounds(std::size_t from) const;
  bool surrounds() const { return surrounds_; }
  // Of the first stage that has one.
  auto clock() const -> core::instant (*)() { return clock_; }
  std::vector<stage_facts> facts() const;
  // Throws: std::invalid_argument if a stage cannot deal with results of that type.
  void require(const std::type_info& result) const;
  [[noreturn]] void refuse_what_cannot_be_copied() const;

 private:
  void add(std::shared_ptr<const void> stage, const stage_table& table);

  std::vector<element> elements_;
  std::vector<std::shared_ptr<const void>> kept_;
  std::size_t block_size_ = 0;
  bool surrounds_ = false;
  bool picky_ = false;
  core::instant (*clock_)() = nullptr;
};

// What a call has in the place of a tuple of stages: some of a row.
struct any_held : stage_defaults {
  using clock_type = void;
  static constexpr bool interrupts = true;  // perhaps, as the next
  static constexpr bool reruns = true;  // perhaps: so arguments are referred to, never moved from

  explicit any_held(std::shared_ptr<const any_row> r) : any_held(r, 0, r->elements().size()) {}
  any_held(std::shared_ptr<const any_row> r, std::size_t f, std::size_t t) : row(std::move(r)), from(f), to(t) {}

  std::shared_ptr<const any_row> row;
  std::size_t from;
  std::size_t to;
};

// The sessions of one call; see session_stack.
class any_stack {
 public:
  any_stack(const any_row& row, std::size_t from, std::size_t to);
  any_stack(const any_stack&) = delete;
  any_stack& operator=(const any_stack&) = delete;
  ~any_stack();

  entry descend(run& r);
  void waited() { ++depth_; }
  bool plain() const;
  void succeed(run& r);
  next ascend(run& r, ending e);
  awaitable<void> wait(run& r) { return table(depth_).wait(session(depth_), r); }
  awaitable<void> attend(run& r, ending e) { return table(depth_).attend(session(depth_), r, e); }
  void answer(run& r, ending e) { table(depth_).answer(session(depth_), r, e); }
  void begin_again(run& r) {
    table(depth_).begin_again(session(depth_), r);
    ++depth_;
  }
  void abandon(run& r) {
    if (depth_ < to_) table(depth_).abandon(session(depth_), r);
  }

 private:
  const stage_table& table(std::size_t i) const { return *row_.elements()[i].table; }
  void* session(std::size_t i) const { return block_ + row_.elements()[i].offset; }
  void end(std::size_t begun) noexcept;

  const any_row& row_;
  const std::size_t from_;
  const std::size_t to_;
  std::byte* block_;
  std::size_t depth_;  // those from from_ to it are entered
};

template <>
class session_stack<std::tuple<any_held>> : public any_stack {
 public:
  explicit session_stack(const std::tuple<any_held>& held) : session_stack(std::get<0>(held)) {}

 private:
  explicit session_stack(const any_held& h) : any_stack(*h.row, h.from, h.to) {}
};

// Runs an operation through the stages from there on, whatever they are.
awaitable<any_result> run_erased(std::shared_ptr<const any_row> row, std::size_t from, call_context context,
                                 any_start operation);

template <class T, class F, class... Args>
awaitable<any_result> run_boxed(call_context context, F fn, Args... args) {
  result_slot<T> result;
  auto op = invoke_operation(context, fn, args...);
  if constexpr (std::is_void_v<T>) {
    co_await std::move(op);
    result.emplace();
  } else {
    result.emplace(co_await std::move(op));
  }
  co_return any_result::of(std::move(result));
}

template <class T, class F, class... Args>
awaitable<T> run_unboxed(std::shared_ptr<const any_row> row, call_context context, F fn, Args... args) {
  any_start operation = [fn = std::move(fn), ... args = std::move(args)](const call_context& c) {
    return run_boxed<T>(c, fn, args...);
  };
  auto running = run_erased(std::move(row), 0, std::move(context), std::move(operation));
  auto result = co_await std::move(running);
  co_return result.template take<T>();
}

// Runs fn(args…), or fn(context, args…), through the row, as run_through() does through a tuple of stages.
template <class F, class... Args>
auto run_through(std::shared_ptr<const any_row> row, call_context context, F fn, Args... args) {
  using T = operation_result_t<F, Args&...>;
  row->require(typeid(T));
  if (row->clock() != nullptr) context.clock = row->clock();
  if (row->surrounds()) {
    if constexpr (std::copy_constructible<F> && (std::copy_constructible<Args> && ...)) {
      return run_unboxed<T>(std::move(row), std::move(context), std::move(fn), std::move(args)...);
    } else {
      row->refuse_what_cannot_be_copied();
    }
  }
  std::tuple<any_held> held(any_held(std::move(row)));
  return drive<T>(std::move(held), from_the_start{}, std::move(context), std::move(fn), std::move(args)...);
}

}  // namespace dspu::aio::detail
