// Configuration files: a text, or two with a line "---" between them, the second of which is read after the first.
#include "dspu/config/configuration.hpp"
#include "fuzz/claim.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace {

using dspu::config::config_error;
using dspu::config::configuration;
using dspu::fuzz::claim;

// The names that a file may refer to.
const dspu::config::bindings functions{.classifiers = {{"http", dspu::aio::default_verdict}},
                                       .faults = {{"reset", [] { return std::range_error("reset"); }}},
                                       .results = {{"nine", [] { return 9; }}}};

// Whatever is wrong is told with a place that is in the text.
void check_error(const config_error& e, std::string_view text) {
  claim(!e.problems().empty(), "a refusal has a reason");
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  std::size_t last_line = 0;
  for (const auto& p : e.problems()) {
    claim(!p.text.empty(), "a reason has words", p.pointer);
    claim(p.pointer.empty() || p.pointer.front() == '/', "a pointer begins with a slash", p.pointer);
    claim(p.line <= lines && p.column <= text.size() + 1, "a place is in the text", p.text);
    claim(p.line >= last_line, "reasons are in the order of the text", p.text);
    last_line = p.line;
  }
}

std::optional<configuration> read(std::string_view text) {
  try {
    return std::optional<configuration>(std::in_place, text, functions);
  } catch (const config_error& e) {
    check_error(e, text);
    return std::nullopt;
  }
}

void check_written(const configuration& c) {
  const auto text = c.to_json();
  const auto again = read(text);
  claim(again.has_value(), "what is written can be read", text);
  claim(again->to_json() == text, "read(write(x)) == x", text);
  for (const auto& name : c.pipelines()) {
    claim(again->live(name).describe() == c.live(name).describe(), "the pipelines are the same", text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view mark = "\n---\n";
  const auto cut = text.find(mark);
  auto config = read(text.substr(0, cut));
  if (!config) return 0;
  check_written(*config);
  if (cut == std::string_view::npos) return 0;

  const auto second = text.substr(cut + mark.size());
  const auto before = config->to_json();
  try {
    config->update(second);
  } catch (const config_error& e) {
    check_error(e, second);
    claim(config->to_json() == before, "a file that is refused changes nothing", std::string(second));
    return 0;
  }
  const auto alone = read(second);
  claim(alone.has_value(), "what can be read second can be read first", std::string(second));
  claim(config->to_json() == alone->to_json(), "what was before leaves no trace", std::string(second));
  for (const auto& name : config->pipelines()) {
    claim(config->live(name).describe() == alone->live(name).describe(), "policies are as the file says",
          std::string(second));
  }
  return 0;
}
