#include "dspu/resumed_source.hpp"

#include <algorithm>

namespace dspu::app {

request_source::state resumed_source::next(input_item& item) {
  while (true) {
    const state found = source_.next(item);
    if (found != state::item || !finished_.contains(item.id)) return found;
    if (is_repeated(item)) {
      ++repeated_;
      return found;
    }
    ++skipped_;
    if (finished_.failed(item.id)) on_failed_(item);
  }
}

bool resumed_source::is_repeated(const input_item& item) const {
  if (!item.problem.empty() || !finished_.failed(item.id)) return false;
  return retry_failed_ || finished_.was_invalid(item.id);
}

std::optional<std::uint64_t> resumed_source::expected() const {
  const auto all = source_.expected();
  if (!all) return std::nullopt;
  const std::uint64_t left_out = finished_.size() - (retry_failed_ ? finished_.failures() : 0);
  return *all - std::min(*all, left_out);
}

}  // namespace dspu::app
