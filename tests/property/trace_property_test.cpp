// Traces of any calls whatever: what is written is read again the same, and what was written before a kill is
// kept.
#include "dspu/aio/trace.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace dspu::aio {
namespace {

std::string a_word() { return *rc::gen::arbitrary<std::string>(); }
duration a_duration() {
  return duration{*rc::gen::suchThat<std::int64_t>([](std::int64_t n) { return n >= 0; })};
}
core::instant an_instant() { return core::instant{duration{*rc::gen::arbitrary<std::int64_t>()}}; }
ending_word an_ending() { return static_cast<ending_word>(*rc::gen::inRange(0, 6)); }

template <class Make>
auto some(const Make& make) {
  std::vector<decltype(make())> all;
  for (int n = *rc::gen::inRange(0, 4); n > 0; --n) all.push_back(make());
  return all;
}

trace a_trace() {
  trace t;
  t.calls = some([] {
    return recorded_call{.start = an_instant(),
                         .pipeline = a_word(),
                         .how = an_ending(),
                         .took = a_duration(),
                         .attempts = some([] {
                           return recorded_attempt{an_ending(), a_duration(), a_duration()};
                         }),
                         .waits = some([] {
                           return recorded_wait{a_word(), a_duration(), a_duration()};
                         }),
                         .refusals = some([] {
                           return recorded_refusal{a_word(), a_word(), a_duration()};
                         })};
  });
  t.states = some([] { return recorded_state{an_instant(), a_word(), a_word(), a_word()}; });
  return t;
}

RC_GTEST_PROP(TraceProperty, ReadsWhatItWrote, ()) {
  const auto t = a_trace();
  RC_ASSERT(read_trace(to_text(t)) == t);
}

RC_GTEST_PROP(TraceProperty, KeepsAllFinishedLinesWhereverItIsCut, ()) {
  const auto t = a_trace();
  const auto text = to_text(t);
  const auto least = trace_first_line.size();
  const auto cut = *rc::gen::inRange<std::size_t>(least, text.size() + 1);
  const auto kept = read_trace(std::string_view(text).substr(0, cut));
  RC_ASSERT(kept.torn == (text[cut - 1] != '\n'));
  RC_ASSERT(kept.calls.size() <= t.calls.size());
  RC_ASSERT(std::equal(kept.calls.begin(), kept.calls.end(), t.calls.begin()));
  const auto lines = static_cast<std::size_t>(
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(cut), '\n'));
  RC_ASSERT(kept.calls.size() + kept.states.size() == lines - 1);
}

RC_GTEST_PROP(TraceProperty, AddsUp, ()) {
  const auto s = summarize(a_trace());
  RC_ASSERT(s.succeeded + s.failed + s.ignored + s.refused + s.timed_out + s.cancelled == s.calls);
  RC_ASSERT(s.took_p50 <= s.took_p99);
  RC_ASSERT(s.waited_p50 <= s.waited_p99);
}

}  // namespace
}  // namespace dspu::aio
