// What the fuzz targets share: a claim that must hold for every input.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace dspu::fuzz {

// Ends the process, which libFuzzer and ctest both take for a finding, unless `holds`.
inline void claim(bool holds, std::string_view what, const std::string& detail = {}) {
  if (holds) return;
  std::fprintf(stderr, "broken claim: %.*s: %s\n", static_cast<int>(what.size()), what.data(),
               detail.c_str());
  std::abort();
}

// Takes the front off the input as numbers that choose between ways to look at the rest; 0 once it is used
// up.
class chooser {
 public:
  explicit chooser(std::string_view input) : rest_(input) {}

  unsigned byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::string_view rest() const { return rest_; }
  // Up to `mark`, which is taken as well; all that is left where there is none.
  std::string_view until(char mark) {
    const std::string_view piece = rest_.substr(0, rest_.find(mark));
    rest_.remove_prefix(std::min(rest_.size(), piece.size() + 1));
    return piece;
  }

 private:
  std::string_view rest_;
};

}  // namespace dspu::fuzz
