#include "dspu/aio/recorder.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <stdexcept>

namespace dspu::aio {

namespace {

duration duration_fact(const event& e, std::string_view name) {
  constexpr double longest = 9.2e18;
  const double nanoseconds = fact_or(e, name, 0) * 1e9;
  return nanoseconds > 0 ? duration{std::llround(std::min(nanoseconds, longest))} : duration{0};
}

ending_word ending_of(const event& e) { return ending_word_of(e.reason).value_or(ending_word::failure); }

void write_to(std::FILE* file, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size())
    throw std::runtime_error("recorder: not written");
}

void write_to(std::ostream& stream, std::string_view text) {
  if (!stream.write(text.data(), static_cast<std::streamsize>(text.size()))) {
    throw std::runtime_error("recorder: not written");
  }
}

}  // namespace

recorder::recorder(sink to, recorder_options options) : sink_(std::move(to)), options_(options) {
  if (!sink_) throw std::invalid_argument("recorder.sink must not be empty");
  core::require(options_.max_in_flight >= 1, "recorder.max_in_flight",
                static_cast<std::int64_t>(options_.max_in_flight), "at least 1");
  sink_(trace_first_line);
}

recorder::recorder(std::FILE* to, recorder_options options)
    : recorder(to == nullptr ? sink{} : sink([to](std::string_view text) { write_to(to, text); }), options) {}

recorder::recorder(std::ostream& to, recorder_options options)
    : recorder([&to](std::string_view text) { write_to(to, text); }, options) {}

recorded_call& recorder::under_way(const event& e) {
  const auto [found, is_new] = under_way_.try_emplace(e.call);
  if (is_new) found->second.pipeline = e.pipeline;
  if (is_new && under_way_.size() > options_.max_in_flight) {
    const bool itself = under_way_.begin() == found;
    under_way_.erase(itself ? std::next(found) : under_way_.begin());
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
  return found->second;
}

// All times are counted from the clock's epoch until the start is known, at the end.
void recorder::note(const event& e) {
  const auto now = e.at.time_since_epoch();
  switch (e.kind) {
    case event_kind::attempt_ended: {
      const auto took = duration_fact(e, "seconds");
      under_way(e).attempts.push_back({ending_of(e), now - took, took});
      return;
    }
    case event_kind::waited: {
      const auto took = duration_fact(e, "seconds");
      under_way(e).waits.push_back({std::string(e.policy), now - took, took});
      return;
    }
    case event_kind::retry_scheduled:
      under_way(e).waits.push_back({std::string(e.policy), now, duration_fact(e, "delay")});
      return;
    case event_kind::refused:
      under_way(e).refusals.push_back({std::string(e.policy), std::string(e.reason), now});
      return;
    case event_kind::state_changed:
      return sink_(to_line(
          recorded_state{e.at, std::string(e.pipeline), std::string(e.state), std::string(e.reason)}));
    case event_kind::call_ended:
      return end(e);
    default:
      return;
  }
}

void recorder::end(const event& e) {
  auto node = under_way_.extract(e.call);
  recorded_call call = node.empty() ? recorded_call{} : std::move(node.mapped());
  call.pipeline = e.pipeline;
  call.how = ending_of(e);
  call.took = duration_fact(e, "seconds");
  call.start = e.at - call.took;
  const auto start = call.start.time_since_epoch();
  const auto since_start = [start](duration at) { return std::max(at - start, duration{0}); };
  for (auto& a : call.attempts) a.at = since_start(a.at);
  for (auto& r : call.refusals) r.at = since_start(r.at);
  for (auto& w : call.waits) {
    w.at = since_start(w.at);
    w.took = std::min(w.took, std::max(call.took - w.at, duration{0}));  // a pause may have been cut short
  }
  sink_(to_line(call));
}

void recorder::on_event(const event& e) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    note(e);
  } catch (...) {
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace dspu::aio
