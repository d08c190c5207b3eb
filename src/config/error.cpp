#include "dspu/config/error.hpp"

namespace dspu::config {

namespace {

std::string in_lines(const std::string& source, const std::vector<problem>& problems) {
  std::string text;
  for (const auto& p : problems) {
    if (!text.empty()) text += '\n';
    std::string where = source;
    if (p.line != 0) where += (where.empty() ? "" : ":") + std::to_string(p.line) + ":" + std::to_string(p.column);
    if (!where.empty()) text += where + ": ";
    if (!p.pointer.empty()) text += p.pointer + (p.text.starts_with("is ") ? " " : ": ");
    text += p.text;
  }
  return text;
}

}  // namespace

config_error::config_error(const std::string& source, std::vector<problem> problems)
    : std::invalid_argument(in_lines(source, problems)),
      problems_(std::make_shared<const std::vector<problem>>(std::move(problems))) {}

}  // namespace dspu::config
