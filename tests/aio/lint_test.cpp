#include "dspu/aio/lint.hpp"

#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/fallback.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

verdict only_logic_errors(const outcome& o) {
  if (!o.failed()) return verdict::success;
  return o.threw<std::logic_error>() ? verdict::failure : verdict::ignored;
}
retry_options attempts(std::int64_t n, duration pause = 10ms) {
  return {.max_attempts = n, .strategy = backoff_strategy::constant, .base_delay = pause};
}

struct world {
  circuit_breaker breaker{{.failure_threshold = 5}};
  circuit_breaker quick_breaker{{.failure_threshold = 2}};
  circuit_breaker picky_breaker{{.classify = only_logic_errors}};
  circuit_breaker slow_breaker{{.window = {.calls = 100, .slow_call = 2s}}};
  rate_limiter limiter{{.rate = 10}};
  rate_limiter scarce{{.rate = 1, .per = 10s}};
  rate_limiter tight{{.rate = 1, .capacity = 1}};
  bulkhead narrow;
  bulkhead narrow_shadow{{.shadow = true}};
  throttle polite;
  throttle polite_shadow{{.shadow = true}};
  fallback<int (*)(const outcome&)> cached{[](const outcome&) { return 1; }};
  fallback<int (*)(const outcome&)> cached_sometimes{[](const outcome&) { return 1; }, {.classify = only_logic_errors}};
};

stage_facts hedge_facts() {
  return {.policy = "hedge", .text = "", .runs = 3, .concurrent_runs = true};
}

using row = std::vector<stage_facts>;

struct finding {
  const char* code;
  row (*pipeline)(world&);
  std::vector<std::size_t> positions;
  const char* says;
  lint_severity severity = lint_severity::warning;
  std::optional<bool> idempotent = true;
};

const finding findings[] = {
    {"timeout-refuses-all", [](world& w) { return (timeout(0s) | w.breaker).facts(); }, {0}, "timeout of 0 s",
     lint_severity::error},
    {"timeout-never-expires", [](world&) { return pipe(timeout(duration::max())).facts(); }, {0}, "leave it out"},
    {"attempt-timeout-too-long", [](world&) { return (timeout(2s) | retry(attempts(3)) | timeout(2s)).facts(); }, {0, 2},
     "allows 2 s"},
    {"attempt-timeout-too-long",
     [](world&) { return (timeout(2s) | timeout({.limit = 1s, .shadow = true}) | timeout(5s)).facts(); }, {0, 2},
     "ends all of it after 2 s"},
    {"attempt-timeout-too-long", [](world& w) { return (timeout(2s) | w.breaker | timeout(5s)).facts(); }, {0, 2},
     "allows 5 s"},
    {"pause-exceeds-timeout", [](world&) { return (timeout(1s) | retry()).facts(); }, {0, 1}, "up to 1 s"},
    {"pauses-exceed-timeout", [](world&) { return (timeout(10s) | retry({.max_attempts = 5})).facts(); }, {0, 1},
     "add up to 15 s"},
    {"no-time-for-retries", [](world&) { return (timeout(3s) | retry(attempts(2, 1s)) | timeout(2s)).facts(); },
     {0, 1, 2}, "may take 2 s"},
    {"slow-call-never-seen", [](world& w) { return (w.slow_breaker | timeout(2s)).facts(); }, {0, 1}, "over 2 s"},
    {"slow-call-never-seen", [](world& w) { return (timeout(1s) | w.slow_breaker).facts(); }, {0, 1}, "after 1 s"},
    {"wait-exceeds-timeout", [](world& w) { return (timeout(5s) | w.scarce).facts(); }, {0, 1}, "a token every 10 s"},
    {"attempts-outrun-limiter", [](world& w) { return (timeout(3s) | retry(attempts(5)) | w.tight).facts(); }, {0, 1, 2},
     "up to 5 attempts"},
    {"retries-multiply", [](world& w) { return (retry(attempts(3)) | w.breaker | retry(attempts(4))).facts(); }, {0, 2},
     "12 attempts"},
    {"retries-multiply", [](world&) { return row{hedge_facts(), pipe(retry(attempts(3))).facts()[0]}; }, {0, 1},
     "9 attempts"},
    {"hedge-unstated", [](world&) { return row{hedge_facts()}; }, {0}, "3 times at once", lint_severity::note,
     std::nullopt},
    {"hedge-not-idempotent", [](world&) { return row{hedge_facts()}; }, {0}, "3 times at once", lint_severity::error,
     false},
    {"retry-not-idempotent", [](world&) { return pipe(retry(attempts(3))).facts(); }, {0}, "any failure",
     lint_severity::warning, false},
    {"retry-not-idempotent", [](world&) { return (retry(attempts(3)) | timeout(1s)).facts(); }, {0, 1}, "timed out",
     lint_severity::error, false},
    {"retry-once", [](world&) { return pipe(retry(attempts(1))).facts(); }, {0}, "counts the first", lint_severity::note},
    {"failures-hidden", [](world& w) { return (w.breaker | w.cached).facts(); }, {0, 1}, "move it outside"},
    {"failures-hidden", [](world& w) { return (retry(attempts(3)) | w.cached).facts(); }, {0, 1}, "sees none"},
    {"timeouts-ignored", [](world& w) { return (w.picky_breaker | timeout(1s)).facts(); }, {0, 1}, "hangs for 1 s"},
    {"retry-errors-ignored", [](world& w) { return (timeout(9s) | w.picky_breaker | retry(attempts(3))).facts(); },
     {0, 1, 2}, "deadline_error"},
    {"refusals-retried", [](world& w) { return (retry(attempts(3)) | w.polite).facts(); }, {0, 1}, "shed load"},
    {"refusals-retried", [](world& w) { return (retry(attempts(3, 0s)) | w.narrow).facts(); }, {0, 1}, "at once"},
    {"call-opens-breaker", [](world& w) { return (retry(attempts(3)) | w.quick_breaker).facts(); }, {0, 1},
     "after 2 of the 3", lint_severity::note},
    {"places-taken-twice", [](world& w) { return (w.narrow | w.limiter | w.narrow).facts(); }, {0, 2}, "for ever",
     lint_severity::error},
    {"policy-twice", [](world& w) { return (w.limiter | retry(attempts(3)) | w.limiter).facts(); }, {0, 2}, "twice"},
};

TEST(Lint, FindsWhatCannotWork) {
  for (const auto& f : findings) {
    SCOPED_TRACE(f.code);
    world w;
    const auto facts = f.pipeline(w);
    const auto found = lint(facts, {.idempotent = f.idempotent});
    ASSERT_EQ(found.size(), 1u) << ::testing::PrintToString(found.size());
    EXPECT_EQ(found[0].code, f.code);
    EXPECT_EQ(found[0].severity, f.severity);
    EXPECT_EQ(found[0].positions, f.positions);
    EXPECT_THAT(found[0].text, HasSubstr(f.says));
  }
}

// What looks like one of the above, and is well.
row (*const silent[])(world&) = {
    [](world&) { return row{}; },
    [](world&) { return pipe(timeout({.limit = 0s, .shadow = true})).facts(); },
    [](world&) { return pipe(timeout({.limit = duration::max(), .shadow = true})).facts(); },
    [](world&) { return (timeout({.limit = 2s, .shadow = true}) | retry(attempts(3)) | timeout(2s)).facts(); },
    [](world&) { return (timeout({.limit = 1s, .shadow = true}) | retry()).facts(); },
    [](world& w) { return (w.slow_breaker | timeout({.limit = 2s, .shadow = true})).facts(); },
    [](world& w) { return (timeout(60s) | retry({.max_attempts = 5}) | w.breaker | w.limiter | timeout(2s)).facts(); },
    [](world&) { return (timeout(5s) | timeout(2s)).facts(); },
    [](world&) { return pipe(timeout(1ns)).facts(); },
    [](world&) { return (timeout(1001ms) | retry(attempts(2, 1s))).facts(); },
    [](world&) { return (timeout(3001ms) | retry(attempts(2, 1s)) | timeout(2s)).facts(); },
    [](world&) { return (retry({.max_attempts = 9}) | timeout(2s)).facts(); },
    [](world& w) { return (w.slow_breaker | timeout(2001ms)).facts(); },
    [](world& w) { return (timeout(11s) | w.scarce).facts(); },
    [](world& w) { return (w.scarce | timeout(1s)).facts(); },
    [](world& w) { return (timeout(5s) | retry(attempts(5)) | w.tight).facts(); },
    [](world& w) { return (retry(attempts(5)) | w.tight).facts(); },
    [](world&) { return row{pipe(retry(attempts(3))).facts()[0], hedge_facts()}; },
    [](world& w) { return (w.cached | w.breaker | retry(attempts(3))).facts(); },
    [](world& w) { return (w.breaker | w.cached_sometimes).facts(); },
    [](world& w) { return (w.limiter | w.cached).facts(); },
    [](world& w) { return (w.breaker | timeout(1s)).facts(); },
    [](world& w) { return (timeout(1s) | w.picky_breaker).facts(); },
    [](world& w) { return (w.picky_breaker | retry(attempts(3))).facts(); },
    [](world& w) { return (w.polite | retry(attempts(3, 0s))).facts(); },
    [](world& w) { return (retry(attempts(3, 0s)) | w.narrow_shadow | w.polite_shadow).facts(); },
    [](world& w) { return (retry(attempts(3)) | w.narrow).facts(); },
    [](world& w) { return (retry(attempts(5)) | w.breaker).facts(); },
    [](world& w) { return (w.quick_breaker | retry(attempts(3))).facts(); },
    [](world& w) { return (w.breaker | w.quick_breaker | w.limiter | w.tight).facts(); },
};

TEST(Lint, IsSilentOfWhatWorks) {
  for (std::size_t i = 0; i < std::size(silent); ++i) {
    SCOPED_TRACE(i);
    world w;
    const auto facts = silent[i](w);
    const auto found = lint(facts, {.idempotent = true});
    for (const auto& f : found) ADD_FAILURE() << to_string(f);
  }
}

TEST(Lint, RetriesOfRefusalsAreTheFiltersAffair) {
  world w;
  auto options = attempts(3);
  options.classify = ignoring<throttled_error>();
  EXPECT_THAT(lint(retry(options) | w.polite), IsEmpty());
}

TEST(Lint, LeavesOutWhatIsLessSevere) {
  const auto p = timeout(0s) | retry(attempts(1));
  EXPECT_EQ(lint(p).size(), 2u);
  EXPECT_EQ(lint(p, {.at_least = lint_severity::error}).size(), 1u);
}

TEST(Lint, SortsByPlaceThenSeverity) {
  world w;
  const auto p = timeout(duration::max()) | retry(attempts(3)) | w.quick_breaker | retry(attempts(3));
  std::vector<std::string_view> codes;
  for (const auto& f : lint(p)) codes.push_back(f.code);
  EXPECT_THAT(codes, ElementsAre("timeout-never-expires", "retries-multiply", "call-opens-breaker"));
}

TEST(Lint, SaysWhatWhereAndWhy) {
  const auto found = lint(timeout(2s) | retry(attempts(3)) | timeout(2s));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(to_string(found[0]),
            "warning: attempt-timeout-too-long at 0, 2: the timeout at 2 allows 2 s, but that at 0 ends all of it after "
            "2 s: the inner one never expires first, and one attempt that hangs leaves no time for another; make the "
            "inner one shorter");
}

}  // namespace
}  // namespace dspu::aio
