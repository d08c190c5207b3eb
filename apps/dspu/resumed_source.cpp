#include "dspu/resumed_source.hpp"

#include <algorithm>

namespace dspu::app {

request_source::state resumed_source::next(input_item& item) {
  while (true) {
    const state found = source_.next(item);
    if (found != state::item || !finished_.contains(item.id)) return found;
    ++skipped_;
    if (finished_.failed(item.id)) on_failed_(item);
  }
}

std::optional<std::uint64_t> resumed_source::expected() const {
  const auto all = source_.expected();
  if (!all) return std::nullopt;
  return *all - std::min(*all, finished_.size());
}

}  // namespace dspu::app
