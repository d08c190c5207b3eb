#include "dspu/aio/detail/any_row.hpp"

#include <boost/asio/recycling_allocator.hpp>

#include <cstdint>
#include <stdexcept>

namespace dspu::aio::detail {

namespace {

// Blocks are recycled by thread, as coroutine frames are.
using block_allocator = asio::recycling_allocator<std::byte>;

constexpr std::size_t aligned(std::size_t n) {
  constexpr std::size_t a = alignof(std::max_align_t);
  return (n + a - 1) / a * a;
}

}  // namespace

void any_row::add(std::shared_ptr<const void> stage, const stage_table& table) {
  elements_.push_back({std::move(stage), &table, block_size_});
  block_size_ += aligned(table.size);
  surrounds_ = surrounds_ || table.surround != nullptr;
  picky_ = picky_ || table.gives != nullptr;
  if (clock_ == nullptr) clock_ = table.clock;
}

void any_row::add_all(const any_row& other) {
  for (const auto& e : other.elements_) add(e.stage, *e.table);
  kept_.insert(kept_.end(), other.kept_.begin(), other.kept_.end());
}

std::vector<stage_facts> any_row::facts() const {
  std::vector<stage_facts> all;
  all.reserve(elements_.size());
  for (const auto& e : elements_) all.push_back(e.table->facts(e.stage.get()));
  return all;
}

std::size_t any_row::next_that_surrounds(std::size_t from) const {
  while (from < elements_.size() && elements_[from].table->surround == nullptr) ++from;
  return from;
}

void any_row::refuse_what_cannot_be_copied() const {
  throw std::invalid_argument("any_policy.call: a " + elements_[next_that_surrounds(0)].table->facts(
                                  elements_[next_that_surrounds(0)].stage.get()).policy +
                              " in the row runs the operation several times at once, and it cannot be copied");
}

void any_row::require(const std::type_info& result) const {
  if (!picky_) return;
  for (const auto& e : elements_) {
    const auto* only = e.table->gives == nullptr ? nullptr : e.table->gives(e.stage.get());
    if (only == nullptr || (*only == result && !surrounds_)) continue;
    throw std::invalid_argument("any_policy.call: a " + e.table->facts(e.stage.get()).policy +
                                (surrounds_
                                     ? " that is for one type of result cannot be in a row with a hedge"
                                     : " in the row is for another type of result than the operation has"));
  }
}

any_stack::any_stack(const any_row& row, std::size_t from, std::size_t to)
    : row_(row), from_(from), to_(to), block_(block_allocator().allocate(row.block_size())), depth_(from) {
  std::size_t i = from_;
  try {
    for (; i < to_; ++i) table(i).begin(row_.elements()[i].stage.get(), session(i));
  } catch (...) {
    end(i);
    throw;
  }
}

any_stack::~any_stack() { end(to_); }

void any_stack::end(std::size_t begun) noexcept {
  while (begun-- > from_) {
    if (table(begun).end != nullptr) table(begun).end(session(begun));
  }
  block_allocator().deallocate(block_, row_.block_size());
}

entry any_stack::descend(run& r) {
  if (r.to_be_answered(depth_)) return entry::answer;
  for (; depth_ < to_; ++depth_) {
    const entry e = table(depth_).enter(session(depth_), r, depth_);
    if (e != entry::go) return e;
  }
  return entry::go;
}

bool any_stack::plain() const {
  for (std::size_t i = from_; i < to_; ++i) {
    if (!table(i).plain(session(i))) return false;
  }
  return true;
}

void any_stack::succeed(run& r) {
  for (std::size_t i = to_; i-- > from_;) table(i).succeed(session(i), r);
  depth_ = from_;
}

next any_stack::ascend(run& r, ending e) {
  while (depth_ > from_) {
    --depth_;  // whatever it throws, it is left
    const next n = table(depth_).leave(session(depth_), r, depth_, e);
    if (n != next::up) return n;
  }
  return next::up;
}

namespace {

// The operation that the stages outside of a surrounding one see: that one, with all that is inside of it (see
// `surrounded`).
struct surrounded_row {
  std::shared_ptr<const any_row> row;
  std::size_t at;
  any_start operation;
  start_counter* counter = nullptr;

  void counts_in(start_counter& c) { counter = &c; }

  awaitable<any_result> operator()(const call_context& context) {
    const auto& around = row->elements()[at];
    call_context attempts = context;
    attempts.whole = counter;
    return around.table->surround(around.stage.get(), attempts, [this](call_context c) {
      return run_erased(row, at + 1, std::move(c), operation);
    });
  }
};

}  // namespace

template <>
inline constexpr bool is_attempt<surrounded_row> = false;

namespace {

template <class Operation>
awaitable<any_result> run_segment(std::shared_ptr<const any_row> row, std::size_t from, std::size_t to,
                                  call_context context, Operation operation) {
  if (from == to) return run_alone<any_result>(std::move(context), std::move(operation));
  std::tuple<any_held> held(any_held(std::move(row), from, to));
  return drive<any_result>(std::move(held), from_the_start{}, std::move(context), std::move(operation));
}

}  // namespace

awaitable<any_result> run_erased(std::shared_ptr<const any_row> row, std::size_t from, call_context context,
                                 any_start operation) {
  const std::size_t at = row->next_that_surrounds(from);
  if (at == row->elements().size()) {
    return run_segment(std::move(row), from, at, std::move(context), std::move(operation));
  }
  surrounded_row around{row, at, std::move(operation)};
  return run_segment(std::move(row), from, at, std::move(context), std::move(around));
}

}  // namespace dspu::aio::detail
