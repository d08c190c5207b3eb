#include "dspu/aio/detail/any_row.hpp"

#include <boost/asio/recycling_allocator.hpp>

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
  picky_ = picky_ || table.gives != nullptr;
  if (clock_ == nullptr) clock_ = table.clock;
}

void any_row::add_all(const any_row& other) {
  for (const auto& e : other.elements_) add(e.stage, *e.table);
  kept_.insert(kept_.end(), other.kept_.begin(), other.kept_.end());
}

std::vector<stage_facts> any_row::facts() const {
  std::vector<stage_facts> all;
  for (const auto& e : elements_) all.push_back(e.table->facts(e.stage.get()));
  return all;
}

void any_row::require(const std::type_info& result) const {
  if (!picky_) return;
  for (const auto& e : elements_) {
    if (e.table->gives == nullptr || *e.table->gives == result) continue;
    throw std::invalid_argument("any_policy.call: a " + e.table->facts(e.stage.get()).policy +
                                " in the row is for another type of result than the operation has");
  }
}

any_stack::any_stack(const any_row& row) : row_(row), block_(block_allocator().allocate(row.block_size())) {
  std::size_t begun = 0;
  try {
    for (; begun < size(); ++begun) table(begun).begin(row_.elements()[begun].stage.get(), session(begun));
  } catch (...) {
    end(begun);
    throw;
  }
}

any_stack::~any_stack() { end(size()); }

void any_stack::end(std::size_t count) noexcept {
  while (count-- > 0) {
    if (table(count).end != nullptr) table(count).end(session(count));
  }
  block_allocator().deallocate(block_, row_.block_size());
}

entry any_stack::descend(run& r) {
  if (r.to_be_answered(depth_)) return entry::answer;
  for (; depth_ < size(); ++depth_) {
    const entry e = table(depth_).enter(session(depth_), r, depth_);
    if (e != entry::go) return e;
  }
  return entry::go;
}

bool any_stack::plain() const {
  for (std::size_t i = 0; i < size(); ++i) {
    if (!table(i).plain(session(i))) return false;
  }
  return true;
}

void any_stack::succeed(run& r) {
  for (std::size_t i = size(); i-- > 0;) table(i).succeed(session(i), r);
  depth_ = 0;
}

next any_stack::ascend(run& r, ending e) {
  while (depth_ > 0) {
    --depth_;  // whatever it throws, it is left
    const next n = table(depth_).leave(session(depth_), r, depth_, e);
    if (n != next::up) return n;
  }
  return next::up;
}

}  // namespace dspu::aio::detail
