// What is wrong with a configuration: everything that is, at once.
//
//   try { … } catch (const config_error& e) { std::cerr << e.what(); }
//   // shop.json:7:31: /pipelines/catalog/1/retry/max_attempts is 0; must be at least 1
//   // shop.json:9:18: /policies/backend/circuit_breaker/time_out: no such key; did you mean "timeout"?
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace dspu::config {

struct problem {
  // Where in the file, as a JSON pointer (RFC 6901); empty for the whole of it.
  std::string pointer;
  // From 1; columns are bytes. 0 if it is not known.
  std::size_t line = 0;
  std::size_t column = 0;
  // "is 0; must be at least 1"
  std::string text;

  bool operator==(const problem&) const = default;
};

class config_error : public std::invalid_argument {
 public:
  // `source` is what the text is called, a file's name perhaps; may be empty.
  config_error(const std::string& source, std::vector<problem> problems);
  // In the order of the file; at least one. what() has them all, a line each.
  const std::vector<problem>& problems() const noexcept { return *problems_; }

 private:
  std::shared_ptr<const std::vector<problem>> problems_;
};

}  // namespace dspu::config
