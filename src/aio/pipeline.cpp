#include "dspu/aio/pipeline.hpp"

namespace dspu::aio::detail {

std::string describe(const std::vector<stage_facts>& stages) {
  std::string text;
  for (const auto& s : stages) {
    if (!text.empty()) text += " | ";
    text += s.policy + "(" + s.text + ")";
  }
  return text;
}

}  // namespace dspu::aio::detail
