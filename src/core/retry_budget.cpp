#include "dspu/core/retry_budget.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <cmath>

namespace dspu::core {

namespace {

constexpr std::int64_t one = 1'000'000;

std::int64_t in_millionths(double x) { return std::llround(x * static_cast<double>(one)); }

bool within(double x, double low, double high) { return x >= low && x <= high; }

const retry_budget_options& checked(const retry_budget_options& o) {
  using std::chrono::seconds;
  require(o.ttl >= seconds{1} && o.ttl <= seconds{60}, "retry_budget.ttl", o.ttl, "1 s to 60 s");
  require(within(o.min_retries_per_second, 0, 1e6), "retry_budget.min_retries_per_second",
          o.min_retries_per_second, "0 to 1e6");
  require(within(o.retries_per_call, 0, 1000), "retry_budget.retries_per_call", o.retries_per_call,
          "0 to 1000");
  require(o.max_tokens > 0 && o.max_tokens <= 1e9, "retry_budget.max_tokens", o.max_tokens,
          "above 0 and at most 1e9");
  require(o.token_ratio > 0 && o.token_ratio <= 1e9, "retry_budget.token_ratio", o.token_ratio,
          "above 0 and at most 1e9");
  return o;
}

}  // namespace

retry_budget_machine::retry_budget_machine(const retry_budget_options& options)
    : options_(checked(options)), tokens_(0), net_(options.ttl) {
  if (options.kind == retry_budget_kind::per_call) {
    earned_ = in_millionths(options.retries_per_call);
    most_ =
        in_millionths(options.min_retries_per_second * std::chrono::duration<double>(options.ttl).count());
  } else {
    earned_ = std::max<millionths>(1, in_millionths(options.token_ratio));
    tokens_ = most_ = std::max<millionths>(1, in_millionths(options.max_tokens));
  }
}

void retry_budget_machine::deposit(instant now) {
  if (options_.kind == retry_budget_kind::per_call) net_.add(earned_, now);
}

void retry_budget_machine::record(verdict v, instant) {
  if (options_.kind != retry_budget_kind::token_ratio) return;
  if (v == verdict::failure) tokens_ = std::max<millionths>(0, tokens_ - one);
  if (v == verdict::success) tokens_ = std::min(most_, tokens_ + earned_);
}

bool retry_budget_machine::affords(instant now) {
  if (options_.kind == retry_budget_kind::token_ratio) return 2 * tokens_ > most_;
  return most_ + net_.sum(now) >= one;
}

withdrawal retry_budget_machine::withdraw(instant now) {
  if (affords(now)) {
    if (options_.kind == retry_budget_kind::per_call) net_.add(-one, now);
    return withdrawal::granted;
  }
  if (!options_.shadow) return withdrawal::refused;
  ++over_budget_;
  return withdrawal::shadowed;
}

void retry_budget_machine::reconfigure(const retry_budget_options& options) {
  retry_budget_machine next(options);
  next.over_budget_ = over_budget_;
  if (options.kind == options_.kind) {
    next.tokens_ = std::clamp<millionths>(next.most_ - (most_ - tokens_), 0, next.most_);
    if (options.kind == retry_budget_kind::per_call) next.tokens_ = 0;
    if (options.ttl == options_.ttl) next.net_ = net_;
  }
  *this = next;
}

void retry_budget_machine::refund(instant withdrawn) {
  if (options_.kind == retry_budget_kind::per_call) net_.amend(one, withdrawn);
}

double retry_budget_machine::balance(instant now) {
  const bool per_call = options_.kind == retry_budget_kind::per_call;
  const millionths left = per_call ? std::max<millionths>(0, most_ + net_.sum(now)) : tokens_;
  return static_cast<double>(left) / static_cast<double>(one);
}

}  // namespace dspu::core
