#include "dspu/summary.hpp"

#include "dspu/format.hpp"
#include "dspu/json_writer.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

namespace dspu::app {

namespace {

struct named_reason {
  wait_reason reason;
  std::string_view name;
};

constexpr std::array<named_reason, 6> reasons{{{wait_reason::rate_limit, "rate limit"},
                                               {wait_reason::pace, "pace"},
                                               {wait_reason::retry_after, "Retry-After"},
                                               {wait_reason::circuit_open, "breaker"},
                                               {wait_reason::backoff, "backoff"},
                                               {wait_reason::concurrency, "concurrency"}}};

std::string percentile_text(const histogram& of) {
  return "p50 " + format_duration(of.percentile(0.5)) + "  p90 " + format_duration(of.percentile(0.9)) +
         "  p99 " + format_duration(of.percentile(0.99)) + "  max " + format_duration(of.max());
}

void write_percentiles(json_writer& json, std::string_view name, const histogram& of) {
  json.key(name);
  json.begin_object();
  json.member("count", of.count());
  json.key("p50_ms");
  json.milliseconds(of.percentile(0.5));
  json.key("p90_ms");
  json.milliseconds(of.percentile(0.9));
  json.key("p99_ms");
  json.milliseconds(of.percentile(0.99));
  json.key("max_ms");
  json.milliseconds(of.max());
  json.end_object();
}

std::string wait_text(const wait_totals& waits) {
  std::string text;
  for (const auto& [reason, name] : reasons) {
    if (waits[reason] < std::chrono::milliseconds(1)) continue;
    if (!text.empty()) text += ", ";
    text += std::string(name) + " " + format_duration(waits[reason]);
  }
  return text;
}

// Of the origins that refused most.
std::string pace_text(const std::vector<named_pace>& paces) {
  constexpr std::size_t most_shown = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(paces.size(), most_shown); ++i)
    text += "  pace         " + paces[i].origin + ": " + describe(paces[i].report) + "\n";
  if (paces.size() > most_shown)
    text += "  pace         and " + std::to_string(paces.size() - most_shown) + " more origins (--summary-json)\n";
  return text;
}

void write_number(json_writer& json, std::string_view name, const std::optional<std::int64_t>& value) {
  json.key(name);
  value ? json.value(static_cast<std::uint64_t>(*value)) : json.null();
}

void write_paces(json_writer& json, const std::vector<named_pace>& paces) {
  json.key("paces");
  json.begin_array();
  for (const auto& [origin, report] : paces) {
    json.begin_object();
    json.member("origin", origin);
    json.key("rate");
    report.learnt.rate ? json.value(*report.learnt.rate) : json.null();
    write_number(json, "burst", report.learnt.burst);
    write_number(json, "concurrency", report.learnt.concurrency);
    json.member("admitted", report.admitted);
    json.member("refused", report.refused);
    json.end_object();
  }
  json.end_array();
}

std::string requests_text(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " request" : " requests");
}

std::string times(std::uint64_t count) { return count == 1 ? "once" : std::to_string(count) + " times"; }

}  // namespace

void summary::add(const result_record& record) {
  ++outcomes_[static_cast<std::size_t>(record.outcome)];
  bytes_ += record.bytes;
  if (record.retry_refused) ++retries_refused_;
  for (const attempt_record& attempt : record.attempts) {
    ++attempts_;
    if (attempt.status != 0) ++statuses_[attempt.status];
    exchanges_.add(attempt.duration);
    hedges_ += attempt.hedges;
    if (attempt.hedge_won) ++hedges_won_;
  }
  if (record.attempts.empty()) return;
  for (std::size_t i = 1; i < record.attempts.size(); ++i) {
    const attempt_record& before = record.attempts[i - 1];
    const bool redirected = before.error.empty() && before.status >= 300 && before.status < 400;
    if (!redirected) ++retries_;
  }
  requests_.add(record.total - record.queued);
}

void summary::add_transition(core::circuit_transition transition) {
  // Back to open from half-open is the same outage.
  if (transition.from == core::circuit_state::closed) ++breaker_opened_;
  if (transition.to == core::circuit_state::closed) ++breaker_closed_;
}

std::uint64_t summary::finished() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : outcomes_) sum += count;
  return sum - of(outcome::cancelled);
}

std::string summary::outcome_text() const {
  std::string text;
  for (std::size_t i = 0; i < outcome_count; ++i) {
    if (outcomes_[i] == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::string(to_string(static_cast<outcome>(i))) + " " + std::to_string(outcomes_[i]);
  }
  return text.empty() ? "none" : text;
}

std::string summary::to_text(const run_facts& facts) const {
  const double seconds = std::chrono::duration<double>(facts.elapsed).count();
  const double rate = seconds > 0 ? static_cast<double>(finished()) / seconds : 0;
  const std::uint64_t cancelled = of(outcome::cancelled);
  std::string text = "dspu fetch: " + requests_text(finished() + cancelled) + " in " +
                     format_duration(facts.elapsed) + " (" + format_rate(rate) +
                     "): " + std::to_string(of(outcome::ok)) + " ok, " + std::to_string(failed()) + " failed" +
                     (cancelled > 0 ? ", " + std::to_string(cancelled) + " cancelled" : "") + "\n";
  if (facts.resumed > 0)
    text += "  resumed      " + std::to_string(facts.resumed) + " were finished before\n";
  text += "  outcomes     " + outcome_text() + "\n";
  text += "  attempts     " + std::to_string(attempts_) + ", " + std::to_string(retries_) +
          " of them retries; " + format_bytes(bytes_) + " received\n";
  if (requests_.count() > 0) {
    text += "  per request  " + percentile_text(requests_) + "\n";
    text += "  per attempt  " + percentile_text(exchanges_) + "\n";
  }
  const std::string waits = wait_text(facts.waits);
  if (!waits.empty()) text += "  kept waiting " + waits + " (summed over origins)\n";
  text += pace_text(facts.paces);
  if (holds_ > 0) text += "  Retry-After  held an origin " + times(holds_) + "\n";
  if (breaker_opened_ > 0) {
    text += "  breakers     opened " + times(breaker_opened_) + ", closed " + times(breaker_closed_) + "\n";
  }
  if (hedges_ > 0)
    text += "  hedges       " + std::to_string(hedges_) + " sent, " + std::to_string(hedges_won_) + " won\n";
  if (retries_refused_ > 0)
    text += "  retry budget refused " + std::to_string(retries_refused_) + " retries (--retry-budget)\n";
  if (facts.unsent > 0) text += "  not sent     " + std::to_string(facts.unsent) + " that had been read\n";
  return text;
}

std::string summary::to_json(const run_facts& facts) const {
  std::string text;
  json_writer json(text);
  json.begin_object();
  json.member("v", 1u);
  json.member("requests", finished());
  json.member("ok", of(outcome::ok));
  json.member("failed", failed());
  json.member("cancelled", of(outcome::cancelled));
  json.member("resumed", facts.resumed);
  json.member("unsent", facts.unsent);
  json.key("outcomes");
  json.begin_object();
  for (std::size_t i = 0; i < outcome_count; ++i)
    json.member(to_string(static_cast<outcome>(i)), outcomes_[i]);
  json.end_object();
  json.member("attempts", attempts_);
  json.member("retries", retries_);
  json.member("retries_refused", retries_refused_);
  json.member("hedges", hedges_);
  json.member("hedges_won", hedges_won_);
  json.key("statuses");
  json.begin_object();
  for (const auto& [status, count] : statuses_) json.member(std::to_string(status), count);
  json.end_object();
  json.member("bytes", bytes_);
  json.key("elapsed_ms");
  json.milliseconds(facts.elapsed);
  write_percentiles(json, "request_latency", requests_);
  write_percentiles(json, "attempt_latency", exchanges_);
  json.key("waiting_ms");
  json.begin_object();
  for (const auto& [reason, name] : reasons) {
    json.key(to_string(reason));
    json.milliseconds(facts.waits[reason]);
  }
  json.end_object();
  write_paces(json, facts.paces);
  json.member("holds", holds_);
  json.member("breaker_opened", breaker_opened_);
  json.member("breaker_closed", breaker_closed_);
  json.member("exit_status", static_cast<unsigned>(facts.exit_status));
  json.end_object();
  text += '\n';
  return text;
}

}  // namespace dspu::app
