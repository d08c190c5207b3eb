#include "dspu/config/configuration.hpp"

#include "suggestion.hpp"

#include <fstream>
#include <iterator>

namespace dspu::config {

namespace detail {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) throw config_error(path, {{"", 0, 0, "cannot be read"}});
  return text;
}

void no_such(std::string_view what, std::string_view name, const std::vector<std::string>& known) {
  throw std::invalid_argument("configuration: there is no " + std::string(what) + " \"" + std::string(name) + "\"" +
                              suggestion(name, known));
}

}  // namespace detail

template class basic_configuration<std::chrono::steady_clock>;

}  // namespace dspu::config
