#include "dspu/aio/lint.hpp"

#include "dspu/aio/detail/in_words.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace dspu::aio {

namespace {

using core::add_saturating;
using core::duration;
using detail::in_words;
using position = std::size_t;

constexpr duration for_ever = duration::max();

// The row, and what is found in it.
class inspection {
 public:
  inspection(std::span<const stage_facts> r, const lint_options& o) : row(r), options(o) {}

  void find(std::string_view code, lint_severity severity, std::vector<position> at, std::string text) {
    if (severity >= options.at_least) found.push_back({code, severity, std::move(at), std::move(text)});
  }

  bool bounds(position i) const { return row[i].limit != for_ever; }
  bool retries(position i) const { return row[i].runs > 1 && !row[i].concurrent_runs; }
  bool hedges(position i) const { return row[i].runs > 1 && row[i].concurrent_runs; }
  bool repeats(position i) const { return row[i].runs > 1; }
  // The shortest timeout outside of i, and inside; size() if there is none.
  position shortest_around(position i) const { return shortest(0, i); }
  position shortest_within(position i) const { return shortest(i + 1, size()); }
  // Between a and b, exclusive.
  bool repeats_between(position a, position b) const {
    for (position i = a + 1; i < b; ++i) {
      if (repeats(i)) return true;
    }
    return false;
  }
  position size() const { return row.size(); }
  // "retry at 1"
  std::string name(position i) const { return row[i].policy + " at " + std::to_string(i); }

  std::span<const stage_facts> row;
  const lint_options& options;
  std::vector<lint_warning> found;

 private:
  position shortest(position from, position to) const {
    position best = size();
    for (position i = from; i < to; ++i) {
      if (bounds(i) && (best == size() || row[i].limit < row[best].limit)) best = i;
    }
    return best;
  }
};

using lint_severity::error;
using lint_severity::note;
using lint_severity::warning;

// ---- time ----

void timeout_that_is_none(inspection& in, position i) {
  if (in.row[i].policy != "timeout" || in.row[i].shadow) return;
  if (in.row[i].limit <= duration{0}) {
    in.find("timeout-refuses-all", error, {i},
            "a timeout of " + in_words(in.row[i].limit) + " ends every call before it is made");
  } else if (in.row[i].limit == for_ever) {
    in.find("timeout-never-expires", warning, {i}, "a timeout of the longest duration never expires: leave it out");
  }
}

void timeout_inside_a_shorter_one(inspection& in, position i) {
  if (!in.bounds(i)) return;
  const position outer = in.shortest_around(i);
  if (outer == in.size() || in.row[outer].limit <= duration{0} || in.row[i].limit < in.row[outer].limit) return;
  std::string text = "the " + in.name(i) + " allows " + in_words(in.row[i].limit) + ", but that at " +
                     std::to_string(outer) + " ends all of it after " + in_words(in.row[outer].limit) +
                     ": the inner one never expires first";
  if (in.repeats_between(outer, i)) text += ", and one attempt that hangs leaves no time for another";
  in.find("attempt-timeout-too-long", warning, {outer, i}, std::move(text) + "; make the inner one shorter");
}

void pauses_beyond_the_deadline(inspection& in, position i) {
  const position outer = in.shortest_around(i);
  if (!in.repeats(i) || outer == in.size() || in.row[outer].limit <= duration{0}) return;
  const duration total = in.row[outer].limit;
  const auto& f = in.row[i];
  if (f.first_pause >= total) {
    in.find("pause-exceeds-timeout", warning, {outer, i},
            "the first pause of the " + in.name(i) + " is up to " + in_words(f.first_pause) + ", and the timeout at " +
                std::to_string(outer) + " allows " + in_words(total) +
                " in all: another attempt is refused, or comes only if the jitter draws a short pause");
  } else if (f.pauses >= total) {
    in.find("pauses-exceed-timeout", warning, {outer, i},
            "the pauses between the " + std::to_string(f.runs) + " attempts of the " + in.name(i) + " add up to " +
                in_words(f.pauses) + " at most, and the timeout at " + std::to_string(outer) + " allows " +
                in_words(total) + ": the last attempts are made only if the jitter draws short pauses");
  }
}

void no_time_for_a_second_attempt(inspection& in, position i) {
  if (!in.retries(i)) return;
  const position outer = in.shortest_around(i);
  const position inner = in.shortest_within(i);
  if (outer == in.size() || inner == in.size()) return;
  const duration attempt = in.row[inner].limit;
  const duration total = in.row[outer].limit;
  if (attempt >= total || in.row[i].first_pause >= total) return;  // said already
  if (add_saturating(attempt, in.row[i].first_pause) < total) return;
  in.find("no-time-for-retries", warning, {outer, i, inner},
          "an attempt may take " + in_words(attempt) + " (" + in.name(inner) + ") and the pause after it " +
              in_words(in.row[i].first_pause) + ", but all of them together " + in_words(total) + " (" + in.name(outer) +
              "): after an attempt that timed out there is no time for another");
}

void slower_than_the_timeout(inspection& in, position i) {
  const duration slow = in.row[i].slow_call;
  if (slow == for_ever) return;
  position by = in.shortest_within(i);
  const position outer = in.shortest_around(i);
  if (by == in.size() || (outer != in.size() && in.row[outer].limit < in.row[by].limit)) by = outer;
  if (by == in.size() || in.row[by].limit > slow) return;
  in.find("slow-call-never-seen", warning, by < i ? std::vector{by, i} : std::vector{i, by},
          "the " + in.name(i) + " takes calls for slow that last over " + in_words(slow) + ", but the timeout at " +
              std::to_string(by) + " ends them after " + in_words(in.row[by].limit));
}

void tokens_too_late(inspection& in, position i) {
  const position outer = in.shortest_around(i);
  const duration gap = in.row[i].one_in;
  if (gap == duration{0} || outer == in.size() || in.row[outer].limit <= duration{0}) return;
  const duration total = in.row[outer].limit;
  if (gap >= total) {
    in.find("wait-exceeds-timeout", warning, {outer, i},
            "the " + in.name(i) + " makes a token every " + in_words(gap) + ", and the timeout at " +
                std::to_string(outer) + " allows " + in_words(total) +
                ": whoever finds it empty is refused instead of waiting, however short the line is");
    return;
  }
  double runs = 1;  // inside of the timeout, around the limiter
  std::vector<position> at{outer};
  for (position k = outer + 1; k < i; ++k) {
    if (!in.repeats(k)) continue;
    runs *= static_cast<double>(in.row[k].runs);
    at.push_back(k);
  }
  const double waited = (runs - in.row[i].burst) * static_cast<double>(gap.count());
  if (waited < static_cast<double>(total.count())) return;
  at.push_back(i);
  in.find("attempts-outrun-limiter", warning, std::move(at),
          "a call makes up to " + in_words(runs) + " attempts, each of which needs a token of the " + in.name(i) +
              "; it holds " + in_words(in.row[i].burst) + " and makes one every " + in_words(gap) +
              ", so the last ones cannot have theirs within the " + in_words(total) + " of the timeout at " +
              std::to_string(outer));
}

// ---- repeats ----

void retries_that_multiply(inspection& in, position i) {
  if (!in.retries(i)) return;
  std::vector<position> at;
  double attempts = 1;
  for (position k = 0; k <= i; ++k) {
    if (!in.retries(k) && !(in.hedges(k) && k < i)) continue;
    at.push_back(k);
    attempts *= static_cast<double>(in.row[k].runs);
  }
  if (at.size() < 2) return;
  // The innermost of them tells of all.
  for (position k = i + 1; k < in.size(); ++k) {
    if (in.retries(k)) return;
  }
  in.find("retries-multiply", warning, std::move(at),
          "retries inside of retries multiply: one call can become " + in_words(attempts) +
              " attempts, just when the service is in trouble; keep the innermost, or give them one retry budget");
}

void repeats_of_what_is_not_idempotent(inspection& in, position i) {
  if (in.hedges(i)) {
    if (!in.options.idempotent) {
      in.find("hedge-unstated", note, {i},
              "the " + in.name(i) + " runs the operation up to " + std::to_string(in.row[i].runs) +
                  " times at once; say by lint_options::idempotent whether it bears that");
    } else if (!*in.options.idempotent) {
      in.find("hedge-not-idempotent", error, {i},
              "the operation is not idempotent, and the " + in.name(i) + " runs it up to " +
                  std::to_string(in.row[i].runs) + " times at once: its effect can happen twice in calls that succeed");
    }
  } else if (in.retries(i) && in.options.idempotent == false) {
    const position inner = in.shortest_within(i);
    const bool unsure = inner != in.size() && in.row[i].counts_timeouts;
    in.find("retry-not-idempotent", unsure ? error : warning, unsure ? std::vector{i, inner} : std::vector{i},
            "the operation is not idempotent, and the " + in.name(i) + " repeats it after " +
                (unsure ? "an attempt that timed out, of which nobody knows whether it took effect"
                        : "any failure its filter lets through, whether or not it took effect") +
                "; let its filter pass only what surely was not done");
  }
}

void a_single_attempt(inspection& in, position i) {
  if (in.row[i].policy == "retry" && in.row[i].runs == 1) {
    in.find("retry-once", note, {i}, "a retry of 1 attempt in all never makes another: max_attempts counts the first");
  }
}

// ---- what a policy sees of those inside of it ----

void failures_that_never_come(inspection& in, position i) {
  if (!in.row[i].judges) return;
  for (position k = i + 1; k < in.size(); ++k) {
    if (!in.row[k].hides_failures) continue;
    in.find("failures-hidden", warning, {i, k},
            "the " + in.name(k) + " puts something else in the place of every failure, so the " + in.name(i) +
                " sees none; move it outside");
    return;
  }
}

void timeouts_that_do_not_count(inspection& in, position i) {
  const position inner = in.shortest_within(i);
  if (!in.row[i].judges || in.row[i].counts_timeouts || inner == in.size()) return;
  in.find("timeouts-ignored", warning, {i, inner},
          "the filter of the " + in.name(i) + " does not take async_timeout_error for a failure: what hangs for " +
              in_words(in.row[inner].limit) + " (" + in.name(inner) + ") counts for nothing with it");
}

// A retry whose pause does not fit ends with deadline_error in the place of what the attempt failed with.
void deadlines_that_do_not_count(inspection& in, position i) {
  if (!in.row[i].judges || in.row[i].counts_deadlines) return;
  if (in.row[i].runs > 1) return;  // a retry would do the same again
  for (position k = i + 1; k < in.size(); ++k) {
    if (!in.retries(k)) continue;
    const position outer = in.shortest_around(k);
    if (outer == in.size() || in.row[k].pauses == duration{0}) return;
    std::vector<position> at{i, k, outer};
    std::ranges::sort(at);
    in.find("retry-errors-ignored", warning, std::move(at),
            "the " + in.name(k) + " ends with deadline_error when its next pause does not fit into the " +
                in_words(in.row[outer].limit) + " of the timeout at " + std::to_string(outer) + ", and the filter of the " +
                in.name(i) + " does not take that for a failure: it misses the calls that failed worst");
    return;
  }
}

void refusals_that_are_retried(inspection& in, position i) {
  if (!in.retries(i) || !in.row[i].counts_refusals) return;
  for (position k = i + 1; k < in.size(); ++k) {
    const auto& f = in.row[k];
    const bool by_chance = f.policy == "throttle";
    const bool at_once = in.row[i].first_pause == duration{0};
    if (!f.refuses_without_hint || !(by_chance || at_once)) continue;
    in.find("refusals-retried", warning, {i, k},
            "what the " + in.name(k) + " refuses, the " + in.name(i) + " tries again " +
                (at_once ? std::string("at once") : "up to " + std::to_string(in.row[i].runs) + " times") +
                (by_chance ? ": it is there to shed load, and this brings it back"
                           : ", while nothing has changed: give it a pause") +
                "; put it outside of the retry, or let the filter ignore its refusals");
  }
}

void attempts_that_open_the_breaker(inspection& in, position i) {
  const auto opens = in.row[i].opens_after;
  if (opens == 0) return;
  for (position k = 0; k < i; ++k) {
    if (!in.retries(k) || in.row[k].runs <= opens) continue;
    in.find("call-opens-breaker", note, {k, i},
            "one call that keeps failing opens the " + in.name(i) + " by itself, after " + std::to_string(opens) +
                " of the " + std::to_string(in.row[k].runs) + " attempts of the " + in.name(k) +
                ": the others are refused, and so is everybody else");
  }
}

void state_used_twice(inspection& in, position i) {
  if (in.row[i].state == nullptr) return;
  for (position k = 0; k < i; ++k) {
    if (in.row[k].state != in.row[i].state) continue;
    if (in.row[i].holds_places) {
      in.find("places-taken-twice", error, {k, i},
              "the " + in.name(k) + " and that at " + std::to_string(i) +
                  " are one: a call holds a place of it while it waits for another, so calls can wait for each other for ever");
    } else {
      in.find("policy-twice", warning, {k, i},
              "the " + in.name(k) + " and that at " + std::to_string(i) + " are one: it counts every call twice");
    }
    return;
  }
}

constexpr std::array rules{
    timeout_that_is_none,         timeout_inside_a_shorter_one, pauses_beyond_the_deadline,
    no_time_for_a_second_attempt, slower_than_the_timeout,      tokens_too_late,
    retries_that_multiply,        repeats_of_what_is_not_idempotent, a_single_attempt,
    failures_that_never_come,     timeouts_that_do_not_count,   deadlines_that_do_not_count,
    refusals_that_are_retried,    attempts_that_open_the_breaker, state_used_twice,
};

}  // namespace

std::string_view name_of(lint_severity s) {
  switch (s) {
    case lint_severity::note: return "note";
    case lint_severity::warning: return "warning";
    case lint_severity::error: return "error";
  }
  return {};
}

std::vector<lint_warning> lint(std::span<const stage_facts> row, const lint_options& options) {
  inspection in(row, options);
  for (position i = 0; i < row.size(); ++i) {
    for (const auto rule : rules) rule(in, i);
  }
  std::ranges::sort(in.found, {}, [](const lint_warning& w) {
    return std::tuple(w.positions.front(), -static_cast<int>(w.severity), w.code, w.positions);
  });
  return std::move(in.found);
}

std::string to_string(const lint_warning& w) {
  std::string text = std::string(name_of(w.severity)) + ": " + std::string(w.code) + " at ";
  for (std::size_t i = 0; i < w.positions.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(w.positions[i]);
  }
  return text + ": " + w.text;
}

}  // namespace dspu::aio
