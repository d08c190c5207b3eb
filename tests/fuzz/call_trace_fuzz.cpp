// Traces: whatever is accepted is written and read again the same, adds up, and may be cut at any line; a
// refusal names a line that is there.
#include "claim.hpp"
#include "dspu/aio/trace.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace {

using namespace dspu::aio;
using dspu::fuzz::claim;

std::int64_t lines_of(std::string_view text) { return std::count(text.begin(), text.end(), '\n'); }

std::optional<trace> read(std::string_view text) {
  try {
    return read_trace(text);
  } catch (const trace_error& e) {
    claim(e.line() >= 1 && static_cast<std::int64_t>(e.line()) <= lines_of(text) + 1,
          "a refusal names a line", e.what());
    return std::nullopt;
  }
}

void check_summary(const trace& t, const std::string& shown) {
  const auto s = summarize(t);
  claim(s.succeeded + s.failed + s.ignored + s.refused + s.timed_out + s.cancelled == s.calls,
        "outcomes add up", shown);
  claim(s.calls == static_cast<std::int64_t>(t.calls.size()), "every call is counted", shown);
  claim(s.took_p50 <= s.took_p99 && s.waited_p50 <= s.waited_p99, "quantiles rise", shown);
  claim(s.open_for >= duration{0} && s.opened <= static_cast<std::int64_t>(t.states.size()), "circuits open",
        shown);
  claim(lines_of(compare(s, s)) == lines_of(to_text(s)) + 1, "a table has its lines", shown);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto t = read(text);
  if (!t) return 0;
  const std::string shown(text);
  claim(t->torn == !text.ends_with('\n'), "torn means that the last line has no end", shown);
  check_summary(*t, shown);
  const auto without_last = text.substr(0, text.rfind('\n', text.size() - 2) + 1);
  if (!without_last.empty())
    claim(read_trace(without_last).calls.size() <= t->calls.size(), "a beginning is a trace", shown);
  t->torn = false;
  claim(read_trace(to_text(*t)) == *t, "read(write(x)) == x", shown);
  return 0;
}
