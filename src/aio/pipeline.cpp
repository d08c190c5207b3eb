#include "dspu/aio/pipeline.hpp"

#include <atomic>

namespace dspu::aio::detail {

std::string describe(const std::vector<stage_facts>& stages) {
  std::string text;
  for (const auto& s : stages) {
    if (!text.empty()) text += " | ";
    text += s.policy + "(" + s.text + ")";
  }
  return text;
}

void begin_watching(call_context& context, const watch& w, call_record& record) {
  static std::atomic<std::uint64_t> calls{0};
  context.observer = w.observer;
  context.record = &record;
  record.number = calls.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace dspu::aio::detail
