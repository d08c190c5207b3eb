// What must hold for every ordered pair of policies, in each scenario: how the call ends and when, how often
// the operation is begun, and what the policy outside and that inside have counted after it. single_flight is
// in no pair: it has no stage, only call(key, …).
#include "composition/scenarios.hpp"

#include <gtest/gtest.h>

#include <set>
#include <span>

namespace dspu::aio::composition {
namespace {

using enum kind;

struct expectation {
  kind outer;
  kind inner;
  const char* report;
};

constexpr expectation when_it_succeeds[] = {
    {timeout, timeout, "7 at 1 s, 1 call |  | "},
    {timeout, retry, "7 at 1 s, 1 call |  | "},
    {timeout, breaker, "7 at 1 s, 1 call |  | "},
    {timeout, limiter, "7 at 1 s, 1 call |  | 1 token"},
    {timeout, bulkhead, "7 at 1 s, 1 call |  | "},
    {timeout, throttle, "7 at 1 s, 1 call |  | "},
    {timeout, fallback, "7 at 1 s, 1 call |  | "},
    {timeout, hedge, "7 at 1 s, 1 call |  | "},
    {timeout, adaptive, "7 at 1 s, 1 call |  | "},
    {timeout, chaos, "7 at 1.25 s, 1 call |  | 1 injection"},

    {retry, timeout, "7 at 1 s, 1 call |  | "},
    {retry, retry, "7 at 1 s, 1 call |  | "},
    {retry, breaker, "7 at 1 s, 1 call |  | "},
    {retry, limiter, "7 at 1 s, 1 call |  | 1 token"},
    {retry, bulkhead, "7 at 1 s, 1 call |  | "},
    {retry, throttle, "7 at 1 s, 1 call |  | "},
    {retry, fallback, "7 at 1 s, 1 call |  | "},
    {retry, hedge, "7 at 1 s, 1 call |  | "},
    {retry, adaptive, "7 at 1 s, 1 call |  | "},
    {retry, chaos, "7 at 1.25 s, 1 call |  | 1 injection"},

    {breaker, timeout, "7 at 1 s, 1 call |  | "},
    {breaker, retry, "7 at 1 s, 1 call |  | "},
    {breaker, breaker, "7 at 1 s, 1 call |  | "},
    {breaker, limiter, "7 at 1 s, 1 call |  | 1 token"},
    {breaker, bulkhead, "7 at 1 s, 1 call |  | "},
    {breaker, throttle, "7 at 1 s, 1 call |  | "},
    {breaker, fallback, "7 at 1 s, 1 call |  | "},
    {breaker, hedge, "7 at 1 s, 1 call |  | "},
    {breaker, adaptive, "7 at 1 s, 1 call |  | "},
    {breaker, chaos, "7 at 1.25 s, 1 call |  | 1 injection"},

    {limiter, timeout, "7 at 1 s, 1 call | 1 token | "},
    {limiter, retry, "7 at 1 s, 1 call | 1 token | "},
    {limiter, breaker, "7 at 1 s, 1 call | 1 token | "},
    {limiter, limiter, "7 at 1 s, 1 call | 1 token | 1 token"},
    {limiter, bulkhead, "7 at 1 s, 1 call | 1 token | "},
    {limiter, throttle, "7 at 1 s, 1 call | 1 token | "},
    {limiter, fallback, "7 at 1 s, 1 call | 1 token | "},
    {limiter, hedge, "7 at 1 s, 1 call | 1 token | "},
    {limiter, adaptive, "7 at 1 s, 1 call | 1 token | "},
    {limiter, chaos, "7 at 1.25 s, 1 call | 1 token | 1 injection"},

    {bulkhead, timeout, "7 at 1 s, 1 call |  | "},
    {bulkhead, retry, "7 at 1 s, 1 call |  | "},
    {bulkhead, breaker, "7 at 1 s, 1 call |  | "},
    {bulkhead, limiter, "7 at 1 s, 1 call |  | 1 token"},
    {bulkhead, bulkhead, "7 at 1 s, 1 call |  | "},
    {bulkhead, throttle, "7 at 1 s, 1 call |  | "},
    {bulkhead, fallback, "7 at 1 s, 1 call |  | "},
    {bulkhead, hedge, "7 at 1 s, 1 call |  | "},
    {bulkhead, adaptive, "7 at 1 s, 1 call |  | "},
    {bulkhead, chaos, "7 at 1.25 s, 1 call |  | 1 injection"},

    {throttle, timeout, "7 at 1 s, 1 call |  | "},
    {throttle, retry, "7 at 1 s, 1 call |  | "},
    {throttle, breaker, "7 at 1 s, 1 call |  | "},
    {throttle, limiter, "7 at 1 s, 1 call |  | 1 token"},
    {throttle, bulkhead, "7 at 1 s, 1 call |  | "},
    {throttle, throttle, "7 at 1 s, 1 call |  | "},
    {throttle, fallback, "7 at 1 s, 1 call |  | "},
    {throttle, hedge, "7 at 1 s, 1 call |  | "},
    {throttle, adaptive, "7 at 1 s, 1 call |  | "},
    {throttle, chaos, "7 at 1.25 s, 1 call |  | 1 injection"},

    {fallback, timeout, "7 at 1 s, 1 call |  | "},
    {fallback, retry, "7 at 1 s, 1 call |  | "},
    {fallback, breaker, "7 at 1 s, 1 call |  | "},
    {fallback, limiter, "7 at 1 s, 1 call |  | 1 token"},
    {fallback, bulkhead, "7 at 1 s, 1 call |  | "},
    {fallback, throttle, "7 at 1 s, 1 call |  | "},
    {fallback, fallback, "7 at 1 s, 1 call |  | "},
    {fallback, hedge, "7 at 1 s, 1 call |  | "},
    {fallback, adaptive, "7 at 1 s, 1 call |  | "},
    {fallback, chaos, "7 at 1.25 s, 1 call |  | 1 injection"},

    {hedge, timeout, "7 at 1 s, 1 call |  | "},
    {hedge, retry, "7 at 1 s, 1 call |  | "},
    {hedge, breaker, "7 at 1 s, 1 call |  | "},
    {hedge, limiter, "7 at 1 s, 1 call |  | 1 token"},
    {hedge, bulkhead, "7 at 1 s, 1 call |  | "},
    {hedge, throttle, "7 at 1 s, 1 call |  | "},
    {hedge, fallback, "7 at 1 s, 1 call |  | "},
    {hedge, hedge, "7 at 1 s, 1 call |  | "},
    {hedge, adaptive, "7 at 1 s, 1 call |  | "},
    {hedge, chaos, "7 at 1.25 s, 1 call |  | 1 injection"},

    {adaptive, timeout, "7 at 1 s, 1 call |  | "},
    {adaptive, retry, "7 at 1 s, 1 call |  | "},
    {adaptive, breaker, "7 at 1 s, 1 call |  | "},
    {adaptive, limiter, "7 at 1 s, 1 call |  | 1 token"},
    {adaptive, bulkhead, "7 at 1 s, 1 call |  | "},
    {adaptive, throttle, "7 at 1 s, 1 call |  | "},
    {adaptive, fallback, "7 at 1 s, 1 call |  | "},
    {adaptive, hedge, "7 at 1 s, 1 call |  | "},
    {adaptive, adaptive, "7 at 1 s, 1 call |  | "},
    {adaptive, chaos, "7 at 1.25 s, 1 call |  | 1 injection"},

    {chaos, timeout, "7 at 1.25 s, 1 call | 1 injection | "},
    {chaos, retry, "7 at 1.25 s, 1 call | 1 injection | "},
    {chaos, breaker, "7 at 1.25 s, 1 call | 1 injection | "},
    {chaos, limiter, "7 at 1.25 s, 1 call | 1 injection | 1 token"},
    {chaos, bulkhead, "7 at 1.25 s, 1 call | 1 injection | "},
    {chaos, throttle, "7 at 1.25 s, 1 call | 1 injection | "},
    {chaos, fallback, "7 at 1.25 s, 1 call | 1 injection | "},
    {chaos, hedge, "7 at 1.25 s, 1 call | 1 injection | "},
    {chaos, adaptive, "7 at 1.25 s, 1 call | 1 injection | "},
    {chaos, chaos, "7 at 1.5 s, 1 call | 1 injection | 1 injection"},
};

constexpr expectation when_it_fails[] = {
    {timeout, timeout, "failed at 1 s, 1 call |  | "},
    {timeout, retry, "failed at 5 s, 3 calls |  | 2 charges"},
    {timeout, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {timeout, limiter, "failed at 1 s, 1 call |  | 1 token"},
    {timeout, bulkhead, "failed at 1 s, 1 call |  | "},
    {timeout, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {timeout, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {timeout, hedge, "failed at 2 s, 2 calls |  | 1 hedge"},
    {timeout, adaptive, "failed at 1 s, 1 call |  | "},
    {timeout, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {retry, timeout, "failed at 5 s, 3 calls | 2 charges | "},
    {retry, retry, "failed at 17 s, 9 calls | 2 charges | 6 charges"},
    {retry, breaker, "failed at 5 s, 3 calls | 2 charges | 3 failures"},
    {retry, limiter, "failed at 5 s, 3 calls | 2 charges | 3 tokens"},
    {retry, bulkhead, "failed at 5 s, 3 calls | 2 charges | "},
    {retry, throttle, "failed at 5 s, 3 calls | 2 charges | 75 %"},
    {retry, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {retry, hedge, "failed at 8 s, 6 calls | 5 charges | 3 hedges"},
    {retry, adaptive, "failed at 5 s, 3 calls | 2 charges | "},
    {retry, chaos, "failed at 5.75 s, 3 calls | 2 charges | 3 injections"},

    {breaker, timeout, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, retry, "failed at 5 s, 3 calls | 1 failure | 2 charges"},
    {breaker, breaker, "failed at 1 s, 1 call | 1 failure | 1 failure"},
    {breaker, limiter, "failed at 1 s, 1 call | 1 failure | 1 token"},
    {breaker, bulkhead, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, throttle, "failed at 1 s, 1 call | 1 failure | 50 %"},
    {breaker, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {breaker, hedge, "failed at 2 s, 2 calls | 1 failure | 1 hedge"},
    {breaker, adaptive, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, chaos, "failed at 1.25 s, 1 call | 1 failure | 1 injection"},

    {limiter, timeout, "failed at 1 s, 1 call | 1 token | "},
    {limiter, retry, "failed at 5 s, 3 calls | 1 token | 2 charges"},
    {limiter, breaker, "failed at 1 s, 1 call | 1 token | 1 failure"},
    {limiter, limiter, "failed at 1 s, 1 call | 1 token | 1 token"},
    {limiter, bulkhead, "failed at 1 s, 1 call | 1 token | "},
    {limiter, throttle, "failed at 1 s, 1 call | 1 token | 50 %"},
    {limiter, fallback, "99 at 1 s, 1 call | 1 token | 1 fall"},
    {limiter, hedge, "failed at 2 s, 2 calls | 1 token | 1 hedge"},
    {limiter, adaptive, "failed at 1 s, 1 call | 1 token | "},
    {limiter, chaos, "failed at 1.25 s, 1 call | 1 token | 1 injection"},

    {bulkhead, timeout, "failed at 1 s, 1 call |  | "},
    {bulkhead, retry, "failed at 5 s, 3 calls |  | 2 charges"},
    {bulkhead, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {bulkhead, limiter, "failed at 1 s, 1 call |  | 1 token"},
    {bulkhead, bulkhead, "failed at 1 s, 1 call |  | "},
    {bulkhead, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {bulkhead, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {bulkhead, hedge, "failed at 2 s, 2 calls |  | 1 hedge"},
    {bulkhead, adaptive, "failed at 1 s, 1 call |  | "},
    {bulkhead, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {throttle, timeout, "failed at 1 s, 1 call | 50 % | "},
    {throttle, retry, "failed at 5 s, 3 calls | 50 % | 2 charges"},
    {throttle, breaker, "failed at 1 s, 1 call | 50 % | 1 failure"},
    {throttle, limiter, "failed at 1 s, 1 call | 50 % | 1 token"},
    {throttle, bulkhead, "failed at 1 s, 1 call | 50 % | "},
    {throttle, throttle, "failed at 1 s, 1 call | 50 % | 50 %"},
    {throttle, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {throttle, hedge, "failed at 2 s, 2 calls | 50 % | 1 hedge"},
    {throttle, adaptive, "failed at 1 s, 1 call | 50 % | "},
    {throttle, chaos, "failed at 1.25 s, 1 call | 50 % | 1 injection"},

    {fallback, timeout, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, retry, "99 at 5 s, 3 calls | 1 fall | 2 charges"},
    {fallback, breaker, "99 at 1 s, 1 call | 1 fall | 1 failure"},
    {fallback, limiter, "99 at 1 s, 1 call | 1 fall | 1 token"},
    {fallback, bulkhead, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, throttle, "99 at 1 s, 1 call | 1 fall | 50 %"},
    {fallback, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {fallback, hedge, "99 at 2 s, 2 calls | 1 fall | 1 hedge"},
    {fallback, adaptive, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, chaos, "99 at 1.25 s, 1 call | 1 fall | 1 injection"},

    {hedge, timeout, "failed at 2 s, 2 calls | 1 hedge | "},
    {hedge, retry, "failed at 8 s, 6 calls | 1 hedge | 4 charges"},
    {hedge, breaker, "failed at 2 s, 2 calls | 1 hedge | 2 failures"},
    {hedge, limiter, "failed at 2 s, 2 calls | 1 hedge | 2 tokens"},
    {hedge, bulkhead, "failed at 2 s, 2 calls | 1 hedge | "},
    {hedge, throttle, "failed at 2 s, 2 calls | 1 hedge | 67 %"},
    {hedge, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {hedge, hedge, "failed at 4 s, 4 calls | 1 hedge | 2 hedges"},
    {hedge, adaptive, "failed at 2 s, 2 calls | 1 hedge | "},
    {hedge, chaos, "failed at 2.5 s, 2 calls | 1 hedge | 2 injections"},

    {adaptive, timeout, "failed at 1 s, 1 call |  | "},
    {adaptive, retry, "failed at 5 s, 3 calls |  | 2 charges"},
    {adaptive, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {adaptive, limiter, "failed at 1 s, 1 call |  | 1 token"},
    {adaptive, bulkhead, "failed at 1 s, 1 call |  | "},
    {adaptive, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {adaptive, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {adaptive, hedge, "failed at 2 s, 2 calls |  | 1 hedge"},
    {adaptive, adaptive, "failed at 1 s, 1 call |  | "},
    {adaptive, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {chaos, timeout, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, retry, "failed at 5.25 s, 3 calls | 1 injection | 2 charges"},
    {chaos, breaker, "failed at 1.25 s, 1 call | 1 injection | 1 failure"},
    {chaos, limiter, "failed at 1.25 s, 1 call | 1 injection | 1 token"},
    {chaos, bulkhead, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, throttle, "failed at 1.25 s, 1 call | 1 injection | 50 %"},
    {chaos, fallback, "99 at 1.25 s, 1 call | 1 injection | 1 fall"},
    {chaos, hedge, "failed at 2.25 s, 2 calls | 1 injection | 1 hedge"},
    {chaos, adaptive, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, chaos, "failed at 1.5 s, 1 call | 1 injection | 1 injection"},
};

constexpr expectation when_it_fails_once[] = {
    {timeout, timeout, "failed at 1 s, 1 call |  | "},
    {timeout, retry, "7 at 3 s, 2 calls |  | 1 charge"},
    {timeout, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {timeout, limiter, "failed at 1 s, 1 call |  | 1 token"},
    {timeout, bulkhead, "failed at 1 s, 1 call |  | "},
    {timeout, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {timeout, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {timeout, hedge, "7 at 2 s, 2 calls |  | 1 hedge"},
    {timeout, adaptive, "failed at 1 s, 1 call |  | "},
    {timeout, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {retry, timeout, "7 at 3 s, 2 calls | 1 charge | "},
    {retry, retry, "7 at 3 s, 2 calls |  | 1 charge"},
    {retry, breaker, "7 at 3 s, 2 calls | 1 charge | "},
    {retry, limiter, "7 at 3 s, 2 calls | 1 charge | 2 tokens"},
    {retry, bulkhead, "7 at 3 s, 2 calls | 1 charge | "},
    {retry, throttle, "7 at 3 s, 2 calls | 1 charge | 33 %"},
    {retry, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {retry, hedge, "7 at 2 s, 2 calls | 1 charge | 1 hedge"},
    {retry, adaptive, "7 at 3 s, 2 calls | 1 charge | "},
    {retry, chaos, "7 at 3.5 s, 2 calls | 1 charge | 2 injections"},

    {breaker, timeout, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, retry, "7 at 3 s, 2 calls |  | 1 charge"},
    {breaker, breaker, "failed at 1 s, 1 call | 1 failure | 1 failure"},
    {breaker, limiter, "failed at 1 s, 1 call | 1 failure | 1 token"},
    {breaker, bulkhead, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, throttle, "failed at 1 s, 1 call | 1 failure | 50 %"},
    {breaker, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {breaker, hedge, "7 at 2 s, 2 calls |  | 1 hedge"},
    {breaker, adaptive, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, chaos, "failed at 1.25 s, 1 call | 1 failure | 1 injection"},

    {limiter, timeout, "failed at 1 s, 1 call | 1 token | "},
    {limiter, retry, "7 at 3 s, 2 calls | 1 token | 1 charge"},
    {limiter, breaker, "failed at 1 s, 1 call | 1 token | 1 failure"},
    {limiter, limiter, "failed at 1 s, 1 call | 1 token | 1 token"},
    {limiter, bulkhead, "failed at 1 s, 1 call | 1 token | "},
    {limiter, throttle, "failed at 1 s, 1 call | 1 token | 50 %"},
    {limiter, fallback, "99 at 1 s, 1 call | 1 token | 1 fall"},
    {limiter, hedge, "7 at 2 s, 2 calls | 1 token | 1 hedge"},
    {limiter, adaptive, "failed at 1 s, 1 call | 1 token | "},
    {limiter, chaos, "failed at 1.25 s, 1 call | 1 token | 1 injection"},

    {bulkhead, timeout, "failed at 1 s, 1 call |  | "},
    {bulkhead, retry, "7 at 3 s, 2 calls |  | 1 charge"},
    {bulkhead, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {bulkhead, limiter, "failed at 1 s, 1 call |  | 1 token"},
    {bulkhead, bulkhead, "failed at 1 s, 1 call |  | "},
    {bulkhead, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {bulkhead, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {bulkhead, hedge, "7 at 2 s, 2 calls |  | 1 hedge"},
    {bulkhead, adaptive, "failed at 1 s, 1 call |  | "},
    {bulkhead, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {throttle, timeout, "failed at 1 s, 1 call | 50 % | "},
    {throttle, retry, "7 at 3 s, 2 calls |  | 1 charge"},
    {throttle, breaker, "failed at 1 s, 1 call | 50 % | 1 failure"},
    {throttle, limiter, "failed at 1 s, 1 call | 50 % | 1 token"},
    {throttle, bulkhead, "failed at 1 s, 1 call | 50 % | "},
    {throttle, throttle, "failed at 1 s, 1 call | 50 % | 50 %"},
    {throttle, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {throttle, hedge, "7 at 2 s, 2 calls |  | 1 hedge"},
    {throttle, adaptive, "failed at 1 s, 1 call | 50 % | "},
    {throttle, chaos, "failed at 1.25 s, 1 call | 50 % | 1 injection"},

    {fallback, timeout, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, retry, "7 at 3 s, 2 calls |  | 1 charge"},
    {fallback, breaker, "99 at 1 s, 1 call | 1 fall | 1 failure"},
    {fallback, limiter, "99 at 1 s, 1 call | 1 fall | 1 token"},
    {fallback, bulkhead, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, throttle, "99 at 1 s, 1 call | 1 fall | 50 %"},
    {fallback, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {fallback, hedge, "7 at 2 s, 2 calls |  | 1 hedge"},
    {fallback, adaptive, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, chaos, "99 at 1.25 s, 1 call | 1 fall | 1 injection"},

    {hedge, timeout, "7 at 2 s, 2 calls | 1 hedge | "},
    {hedge, retry, "7 at 3 s, 2 calls |  | 1 charge"},
    {hedge, breaker, "7 at 2 s, 2 calls | 1 hedge | "},
    {hedge, limiter, "7 at 2 s, 2 calls | 1 hedge | 2 tokens"},
    {hedge, bulkhead, "7 at 2 s, 2 calls | 1 hedge | "},
    {hedge, throttle, "7 at 2 s, 2 calls | 1 hedge | 33 %"},
    {hedge, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {hedge, hedge, "7 at 2 s, 2 calls |  | 1 hedge"},
    {hedge, adaptive, "7 at 2 s, 2 calls | 1 hedge | "},
    {hedge, chaos, "7 at 2.5 s, 2 calls | 1 hedge | 2 injections"},

    {adaptive, timeout, "failed at 1 s, 1 call |  | "},
    {adaptive, retry, "7 at 3 s, 2 calls |  | 1 charge"},
    {adaptive, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {adaptive, limiter, "failed at 1 s, 1 call |  | 1 token"},
    {adaptive, bulkhead, "failed at 1 s, 1 call |  | "},
    {adaptive, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {adaptive, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {adaptive, hedge, "7 at 2 s, 2 calls |  | 1 hedge"},
    {adaptive, adaptive, "failed at 1 s, 1 call |  | "},
    {adaptive, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {chaos, timeout, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, retry, "7 at 3.25 s, 2 calls | 1 injection | 1 charge"},
    {chaos, breaker, "failed at 1.25 s, 1 call | 1 injection | 1 failure"},
    {chaos, limiter, "failed at 1.25 s, 1 call | 1 injection | 1 token"},
    {chaos, bulkhead, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, throttle, "failed at 1.25 s, 1 call | 1 injection | 50 %"},
    {chaos, fallback, "99 at 1.25 s, 1 call | 1 injection | 1 fall"},
    {chaos, hedge, "7 at 2.25 s, 2 calls | 1 injection | 1 hedge"},
    {chaos, adaptive, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, chaos, "failed at 1.5 s, 1 call | 1 injection | 1 injection"},
};

constexpr expectation when_it_is_overtaken[] = {
    {timeout, hedge, "7 at 4 s, 2 calls |  | 1 hedge"},
    {retry, hedge, "7 at 4 s, 2 calls | 1 charge | 1 hedge"},
    {breaker, hedge, "7 at 4 s, 2 calls |  | 1 hedge"},
    {limiter, hedge, "7 at 4 s, 2 calls | 1 token | 1 hedge"},
    {bulkhead, hedge, "7 at 4 s, 2 calls |  | 1 hedge"},
    {throttle, hedge, "7 at 4 s, 2 calls |  | 1 hedge"},
    {fallback, hedge, "7 at 4 s, 2 calls |  | 1 hedge"},
    {adaptive, hedge, "7 at 4 s, 2 calls |  | 1 hedge"},
    {chaos, hedge, "7 at 4.25 s, 2 calls | 1 injection | 1 hedge"},

    {hedge, timeout, "7 at 4 s, 2 calls | 1 hedge | "},
    {hedge, retry, "7 at 4 s, 2 calls | 1 hedge | "},
    {hedge, breaker, "7 at 4 s, 2 calls | 1 hedge | "},
    {hedge, limiter, "7 at 4 s, 2 calls | 1 hedge | 2 tokens"},
    {hedge, bulkhead, "5 at 20 s, 1 call | 1 hedge | "},
    {hedge, throttle, "7 at 4 s, 2 calls | 1 hedge | "},
    {hedge, fallback, "7 at 4 s, 2 calls | 1 hedge | "},
    {hedge, hedge, "7 at 4 s, 3 calls | 1 hedge | 1 hedge"},
    {hedge, adaptive, "7 at 4 s, 2 calls | 1 hedge | "},
    {hedge, chaos, "7 at 4.25 s, 2 calls | 1 hedge | 2 injections"},
};

constexpr expectation when_it_hangs[] = {
    {timeout, timeout, "timed out at 10 s, 1 call |  | "},
    {timeout, retry, "timed out at 10 s, 1 call |  | "},
    {timeout, breaker, "timed out at 10 s, 1 call |  | "},
    {timeout, limiter, "timed out at 10 s, 1 call |  | 1 token"},
    {timeout, bulkhead, "timed out at 10 s, 1 call |  | "},
    {timeout, throttle, "timed out at 10 s, 1 call |  | "},
    {timeout, fallback, "timed out at 10 s, 1 call |  | "},
    {timeout, hedge, "timed out at 10 s, 2 calls |  | 1 hedge"},
    {timeout, adaptive, "timed out at 10 s, 1 call |  | "},
    {timeout, chaos, "timed out at 10 s, 1 call |  | 1 injection"},

    {retry, timeout, "timed out at 32 s, 3 calls | 2 charges | "},

    {breaker, timeout, "timed out at 10 s, 1 call | 1 failure | "},

    {limiter, timeout, "timed out at 10 s, 1 call | 1 token | "},

    {bulkhead, timeout, "timed out at 10 s, 1 call |  | "},

    {throttle, timeout, "timed out at 10 s, 1 call | 50 % | "},

    {fallback, timeout, "99 at 10 s, 1 call | 1 fall | "},

    {hedge, timeout, "timed out at 13 s, 2 calls | 1 hedge | "},

    {adaptive, timeout, "timed out at 10 s, 1 call | limit 9 | "},

    {chaos, timeout, "timed out at 10.25 s, 1 call | 1 injection | "},
};

constexpr expectation when_the_caller_gives_up[] = {
    {timeout, timeout, "cancelled at 0.5 s, 1 call |  | "},
    {timeout, retry, "cancelled at 0.5 s, 1 call |  | "},
    {timeout, breaker, "cancelled at 0.5 s, 1 call |  | "},
    {timeout, limiter, "cancelled at 0.5 s, 1 call |  | 1 token"},
    {timeout, bulkhead, "cancelled at 0.5 s, 1 call |  | "},
    {timeout, throttle, "cancelled at 0.5 s, 1 call |  | "},
    {timeout, fallback, "cancelled at 0.5 s, 1 call |  | "},
    {timeout, hedge, "cancelled at 0.5 s, 1 call |  | "},
    {timeout, adaptive, "cancelled at 0.5 s, 1 call |  | "},
    {timeout, chaos, "cancelled at 0.5 s, 1 call |  | 1 injection"},

    {retry, timeout, "cancelled at 0.5 s, 1 call |  | "},
    {retry, retry, "cancelled at 0.5 s, 1 call |  | "},
    {retry, breaker, "cancelled at 0.5 s, 1 call |  | "},
    {retry, limiter, "cancelled at 0.5 s, 1 call |  | 1 token"},
    {retry, bulkhead, "cancelled at 0.5 s, 1 call |  | "},
    {retry, throttle, "cancelled at 0.5 s, 1 call |  | "},
    {retry, fallback, "cancelled at 0.5 s, 1 call |  | "},
    {retry, hedge, "cancelled at 0.5 s, 1 call |  | "},
    {retry, adaptive, "cancelled at 0.5 s, 1 call |  | "},
    {retry, chaos, "cancelled at 0.5 s, 1 call |  | 1 injection"},

    {breaker, timeout, "cancelled at 0.5 s, 1 call |  | "},
    {breaker, retry, "cancelled at 0.5 s, 1 call |  | "},
    {breaker, breaker, "cancelled at 0.5 s, 1 call |  | "},
    {breaker, limiter, "cancelled at 0.5 s, 1 call |  | 1 token"},
    {breaker, bulkhead, "cancelled at 0.5 s, 1 call |  | "},
    {breaker, throttle, "cancelled at 0.5 s, 1 call |  | "},
    {breaker, fallback, "cancelled at 0.5 s, 1 call |  | "},
    {breaker, hedge, "cancelled at 0.5 s, 1 call |  | "},
    {breaker, adaptive, "cancelled at 0.5 s, 1 call |  | "},
    {breaker, chaos, "cancelled at 0.5 s, 1 call |  | 1 injection"},

    {limiter, timeout, "cancelled at 0.5 s, 1 call | 1 token | "},
    {limiter, retry, "cancelled at 0.5 s, 1 call | 1 token | "},
    {limiter, breaker, "cancelled at 0.5 s, 1 call | 1 token | "},
    {limiter, limiter, "cancelled at 0.5 s, 1 call | 1 token | 1 token"},
    {limiter, bulkhead, "cancelled at 0.5 s, 1 call | 1 token | "},
    {limiter, throttle, "cancelled at 0.5 s, 1 call | 1 token | "},
    {limiter, fallback, "cancelled at 0.5 s, 1 call | 1 token | "},
    {limiter, hedge, "cancelled at 0.5 s, 1 call | 1 token | "},
    {limiter, adaptive, "cancelled at 0.5 s, 1 call | 1 token | "},
    {limiter, chaos, "cancelled at 0.5 s, 1 call | 1 token | 1 injection"},

    {bulkhead, timeout, "cancelled at 0.5 s, 1 call |  | "},
    {bulkhead, retry, "cancelled at 0.5 s, 1 call |  | "},
    {bulkhead, breaker, "cancelled at 0.5 s, 1 call |  | "},
    {bulkhead, limiter, "cancelled at 0.5 s, 1 call |  | 1 token"},
    {bulkhead, bulkhead, "cancelled at 0.5 s, 1 call |  | "},
    {bulkhead, throttle, "cancelled at 0.5 s, 1 call |  | "},
    {bulkhead, fallback, "cancelled at 0.5 s, 1 call |  | "},
    {bulkhead, hedge, "cancelled at 0.5 s, 1 call |  | "},
    {bulkhead, adaptive, "cancelled at 0.5 s, 1 call |  | "},
    {bulkhead, chaos, "cancelled at 0.5 s, 1 call |  | 1 injection"},

    {throttle, timeout, "cancelled at 0.5 s, 1 call |  | "},
    {throttle, retry, "cancelled at 0.5 s, 1 call |  | "},
    {throttle, breaker, "cancelled at 0.5 s, 1 call |  | "},
    {throttle, limiter, "cancelled at 0.5 s, 1 call |  | 1 token"},
    {throttle, bulkhead, "cancelled at 0.5 s, 1 call |  | "},
    {throttle, throttle, "cancelled at 0.5 s, 1 call |  | "},
    {throttle, fallback, "cancelled at 0.5 s, 1 call |  | "},
    {throttle, hedge, "cancelled at 0.5 s, 1 call |  | "},
    {throttle, adaptive, "cancelled at 0.5 s, 1 call |  | "},
    {throttle, chaos, "cancelled at 0.5 s, 1 call |  | 1 injection"},

    {fallback, timeout, "cancelled at 0.5 s, 1 call |  | "},
    {fallback, retry, "cancelled at 0.5 s, 1 call |  | "},
    {fallback, breaker, "cancelled at 0.5 s, 1 call |  | "},
    {fallback, limiter, "cancelled at 0.5 s, 1 call |  | 1 token"},
    {fallback, bulkhead, "cancelled at 0.5 s, 1 call |  | "},
    {fallback, throttle, "cancelled at 0.5 s, 1 call |  | "},
    {fallback, fallback, "cancelled at 0.5 s, 1 call |  | "},
    {fallback, hedge, "cancelled at 0.5 s, 1 call |  | "},
    {fallback, adaptive, "cancelled at 0.5 s, 1 call |  | "},
    {fallback, chaos, "cancelled at 0.5 s, 1 call |  | 1 injection"},

    {hedge, timeout, "cancelled at 0.5 s, 1 call |  | "},
    {hedge, retry, "cancelled at 0.5 s, 1 call |  | "},
    {hedge, breaker, "cancelled at 0.5 s, 1 call |  | "},
    {hedge, limiter, "cancelled at 0.5 s, 1 call |  | 1 token"},
    {hedge, bulkhead, "cancelled at 0.5 s, 1 call |  | "},
    {hedge, throttle, "cancelled at 0.5 s, 1 call |  | "},
    {hedge, fallback, "cancelled at 0.5 s, 1 call |  | "},
    {hedge, hedge, "cancelled at 0.5 s, 1 call |  | "},
    {hedge, adaptive, "cancelled at 0.5 s, 1 call |  | "},
    {hedge, chaos, "cancelled at 0.5 s, 1 call |  | 1 injection"},

    {adaptive, timeout, "cancelled at 0.5 s, 1 call |  | "},
    {adaptive, retry, "cancelled at 0.5 s, 1 call |  | "},
    {adaptive, breaker, "cancelled at 0.5 s, 1 call |  | "},
    {adaptive, limiter, "cancelled at 0.5 s, 1 call |  | 1 token"},
    {adaptive, bulkhead, "cancelled at 0.5 s, 1 call |  | "},
    {adaptive, throttle, "cancelled at 0.5 s, 1 call |  | "},
    {adaptive, fallback, "cancelled at 0.5 s, 1 call |  | "},
    {adaptive, hedge, "cancelled at 0.5 s, 1 call |  | "},
    {adaptive, adaptive, "cancelled at 0.5 s, 1 call |  | "},
    {adaptive, chaos, "cancelled at 0.5 s, 1 call |  | 1 injection"},

    {chaos, timeout, "cancelled at 0.5 s, 1 call | 1 injection | "},
    {chaos, retry, "cancelled at 0.5 s, 1 call | 1 injection | "},
    {chaos, breaker, "cancelled at 0.5 s, 1 call | 1 injection | "},
    {chaos, limiter, "cancelled at 0.5 s, 1 call | 1 injection | 1 token"},
    {chaos, bulkhead, "cancelled at 0.5 s, 1 call | 1 injection | "},
    {chaos, throttle, "cancelled at 0.5 s, 1 call | 1 injection | "},
    {chaos, fallback, "cancelled at 0.5 s, 1 call | 1 injection | "},
    {chaos, hedge, "cancelled at 0.5 s, 1 call | 1 injection | "},
    {chaos, adaptive, "cancelled at 0.5 s, 1 call | 1 injection | "},
    {chaos, chaos, "cancelled at 0.5 s, 1 call | 1 injection | 1 injection"},
};

constexpr expectation when_the_caller_quits_a_line[] = {
    {timeout, retry, "cancelled at 1.5 s, 1 call |  | "},
    {timeout, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {timeout, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {timeout, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {timeout, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {retry, retry, "cancelled at 1.5 s, 1 call |  | "},
    {retry, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {retry, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {retry, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {retry, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {breaker, retry, "cancelled at 1.5 s, 1 call |  | "},
    {breaker, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {breaker, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {breaker, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {breaker, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {limiter, retry, "cancelled at 1.5 s, 1 call | 1 token | "},
    {limiter, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {limiter, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {limiter, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {limiter, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {bulkhead, retry, "cancelled at 1.5 s, 1 call |  | "},
    {bulkhead, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {bulkhead, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {bulkhead, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {bulkhead, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {throttle, retry, "cancelled at 1.5 s, 1 call |  | "},
    {throttle, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {throttle, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {throttle, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {throttle, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {fallback, retry, "cancelled at 1.5 s, 1 call |  | "},
    {fallback, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {fallback, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {fallback, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {fallback, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {hedge, retry, "cancelled at 1.5 s, 1 call |  | "},
    {hedge, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {hedge, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {hedge, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {hedge, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {adaptive, retry, "cancelled at 1.5 s, 1 call |  | "},
    {adaptive, limiter, "cancelled at 1.5 s |  | 5 tokens"},
    {adaptive, bulkhead, "cancelled at 1.5 s |  | 1 call"},
    {adaptive, adaptive, "cancelled at 1.5 s |  | 1 call"},
    {adaptive, chaos, "cancelled at 1.5 s |  | 1 injection"},

    {chaos, retry, "cancelled at 1.5 s, 1 call | 1 injection | "},
    {chaos, limiter, "cancelled at 1.5 s | 1 injection | 5 tokens"},
    {chaos, bulkhead, "cancelled at 1.5 s | 1 injection | 1 call"},
    {chaos, adaptive, "cancelled at 1.5 s | 1 injection | 1 call"},
    {chaos, chaos, "cancelled at 1.5 s | 1 injection | 1 injection"},
};

// What chaos injects is no refusal: it stands for the operation, so policies outside count it.
constexpr expectation when_the_inner_refuses[] = {
    {timeout, timeout, "timed out at 0 s |  | "},
    {timeout, breaker, "circuit open at 0 s |  | isolated"},
    {timeout, limiter, "no time at 0 s |  | 5 tokens"},
    {timeout, bulkhead, "bulkhead full at 0 s |  | 1 call"},
    {timeout, throttle, "throttled at 0 s |  | 67 %"},
    {timeout, adaptive, "bulkhead full at 0 s |  | 1 call"},
    {timeout, chaos, "injected fault at 0 s |  | 1 injection"},

    {retry, timeout, "timed out at 2 s | 2 charges | "},
    {retry, breaker, "circuit open at 2 s | 2 charges | isolated"},
    {retry, limiter, "queue full at 2 s | 2 charges | 5 tokens"},
    {retry, bulkhead, "bulkhead full at 2 s | 2 charges | 1 call"},
    {retry, throttle, "throttled at 2 s | 2 charges | 80 %"},
    {retry, adaptive, "bulkhead full at 2 s | 2 charges | 1 call"},
    {retry, chaos, "injected fault at 2 s | 2 charges | 3 injections"},

    {breaker, timeout, "timed out at 0 s |  | "},
    {breaker, breaker, "circuit open at 0 s |  | isolated"},
    {breaker, limiter, "queue full at 0 s |  | 5 tokens"},
    {breaker, bulkhead, "bulkhead full at 0 s |  | 1 call"},
    {breaker, throttle, "throttled at 0 s |  | 67 %"},
    {breaker, adaptive, "bulkhead full at 0 s |  | 1 call"},
    {breaker, chaos, "injected fault at 0 s | 1 failure | 1 injection"},

    {limiter, timeout, "timed out at 0 s |  | "},
    {limiter, breaker, "circuit open at 0 s |  | isolated"},
    {limiter, limiter, "queue full at 0 s |  | 5 tokens"},
    {limiter, bulkhead, "bulkhead full at 0 s |  | 1 call"},
    {limiter, throttle, "throttled at 0 s |  | 67 %"},
    {limiter, adaptive, "bulkhead full at 0 s |  | 1 call"},
    {limiter, chaos, "injected fault at 0 s | 1 token | 1 injection"},

    {bulkhead, timeout, "timed out at 0 s |  | "},
    {bulkhead, breaker, "circuit open at 0 s |  | isolated"},
    {bulkhead, limiter, "queue full at 0 s |  | 5 tokens"},
    {bulkhead, bulkhead, "bulkhead full at 0 s |  | 1 call"},
    {bulkhead, throttle, "throttled at 0 s |  | 67 %"},
    {bulkhead, adaptive, "bulkhead full at 0 s |  | 1 call"},
    {bulkhead, chaos, "injected fault at 0 s |  | 1 injection"},

    {throttle, timeout, "timed out at 0 s |  | "},
    {throttle, breaker, "circuit open at 0 s |  | isolated"},
    {throttle, limiter, "queue full at 0 s |  | 5 tokens"},
    {throttle, bulkhead, "bulkhead full at 0 s |  | 1 call"},
    {throttle, throttle, "throttled at 0 s |  | 67 %"},
    {throttle, adaptive, "bulkhead full at 0 s |  | 1 call"},
    {throttle, chaos, "injected fault at 0 s | 50 % | 1 injection"},

    {fallback, timeout, "99 at 0 s | 1 fall | "},
    {fallback, breaker, "99 at 0 s | 1 fall | isolated"},
    {fallback, limiter, "99 at 0 s | 1 fall | 5 tokens"},
    {fallback, bulkhead, "99 at 0 s | 1 fall | 1 call"},
    {fallback, throttle, "99 at 0 s | 1 fall | 67 %"},
    {fallback, adaptive, "99 at 0 s | 1 fall | 1 call"},
    {fallback, chaos, "99 at 0 s | 1 fall | 1 injection"},

    {hedge, timeout, "timed out at 0 s | 1 hedge | "},
    {hedge, breaker, "circuit open at 0 s | 1 hedge | isolated"},
    {hedge, limiter, "queue full at 0 s | 1 hedge | 5 tokens"},
    {hedge, bulkhead, "bulkhead full at 0 s | 1 hedge | 1 call"},
    {hedge, throttle, "throttled at 0 s | 1 hedge | 75 %"},
    {hedge, adaptive, "bulkhead full at 0 s | 1 hedge | 1 call"},
    {hedge, chaos, "injected fault at 0 s | 1 hedge | 2 injections"},

    {adaptive, timeout, "timed out at 0 s |  | "},
    {adaptive, breaker, "circuit open at 0 s |  | isolated"},
    {adaptive, limiter, "queue full at 0 s |  | 5 tokens"},
    {adaptive, bulkhead, "bulkhead full at 0 s |  | 1 call"},
    {adaptive, throttle, "throttled at 0 s |  | 67 %"},
    {adaptive, adaptive, "bulkhead full at 0 s |  | 1 call"},
    {adaptive, chaos, "injected fault at 0 s |  | 1 injection"},

    {chaos, timeout, "timed out at 0.25 s | 1 injection | "},
    {chaos, breaker, "circuit open at 0.25 s | 1 injection | isolated"},
    {chaos, limiter, "queue full at 0.25 s | 1 injection | 5 tokens"},
    {chaos, bulkhead, "bulkhead full at 0.25 s | 1 injection | 1 call"},
    {chaos, throttle, "throttled at 0.25 s | 1 injection | 67 %"},
    {chaos, adaptive, "bulkhead full at 0.25 s | 1 injection | 1 call"},
    {chaos, chaos, "injected fault at 0.25 s | 1 injection | 1 injection"},
};

constexpr expectation when_the_outer_refuses[] = {
    {timeout, timeout, "timed out at 0 s |  | "},
    {timeout, retry, "timed out at 0 s |  | "},
    {timeout, breaker, "timed out at 0 s |  | "},
    {timeout, limiter, "timed out at 0 s |  | "},
    {timeout, bulkhead, "timed out at 0 s |  | "},
    {timeout, throttle, "timed out at 0 s |  | "},
    {timeout, fallback, "timed out at 0 s |  | "},
    {timeout, hedge, "timed out at 0 s |  | "},
    {timeout, adaptive, "timed out at 0 s |  | "},
    {timeout, chaos, "timed out at 0 s |  | "},

    {breaker, timeout, "circuit open at 0 s | isolated | "},
    {breaker, retry, "circuit open at 0 s | isolated | "},
    {breaker, breaker, "circuit open at 0 s | isolated | "},
    {breaker, limiter, "circuit open at 0 s | isolated | "},
    {breaker, bulkhead, "circuit open at 0 s | isolated | "},
    {breaker, throttle, "circuit open at 0 s | isolated | "},
    {breaker, fallback, "circuit open at 0 s | isolated | "},
    {breaker, hedge, "circuit open at 0 s | isolated | "},
    {breaker, adaptive, "circuit open at 0 s | isolated | "},
    {breaker, chaos, "circuit open at 0 s | isolated | "},

    {limiter, timeout, "queue full at 0 s | 5 tokens | "},
    {limiter, retry, "queue full at 0 s | 5 tokens | "},
    {limiter, breaker, "queue full at 0 s | 5 tokens | "},
    {limiter, limiter, "queue full at 0 s | 5 tokens | "},
    {limiter, bulkhead, "queue full at 0 s | 5 tokens | "},
    {limiter, throttle, "queue full at 0 s | 5 tokens | "},
    {limiter, fallback, "queue full at 0 s | 5 tokens | "},
    {limiter, hedge, "queue full at 0 s | 5 tokens | "},
    {limiter, adaptive, "queue full at 0 s | 5 tokens | "},
    {limiter, chaos, "queue full at 0 s | 5 tokens | "},

    {bulkhead, timeout, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, retry, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, breaker, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, limiter, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, bulkhead, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, throttle, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, fallback, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, hedge, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, adaptive, "bulkhead full at 0 s | 1 call | "},
    {bulkhead, chaos, "bulkhead full at 0 s | 1 call | "},

    {throttle, timeout, "throttled at 0 s | 67 % | "},
    {throttle, retry, "throttled at 0 s | 67 % | "},
    {throttle, breaker, "throttled at 0 s | 67 % | "},
    {throttle, limiter, "throttled at 0 s | 67 % | "},
    {throttle, bulkhead, "throttled at 0 s | 67 % | "},
    {throttle, throttle, "throttled at 0 s | 67 % | "},
    {throttle, fallback, "throttled at 0 s | 67 % | "},
    {throttle, hedge, "throttled at 0 s | 67 % | "},
    {throttle, adaptive, "throttled at 0 s | 67 % | "},
    {throttle, chaos, "throttled at 0 s | 67 % | "},

    {adaptive, timeout, "bulkhead full at 0 s | 1 call | "},
    {adaptive, retry, "bulkhead full at 0 s | 1 call | "},
    {adaptive, breaker, "bulkhead full at 0 s | 1 call | "},
    {adaptive, limiter, "bulkhead full at 0 s | 1 call | "},
    {adaptive, bulkhead, "bulkhead full at 0 s | 1 call | "},
    {adaptive, throttle, "bulkhead full at 0 s | 1 call | "},
    {adaptive, fallback, "bulkhead full at 0 s | 1 call | "},
    {adaptive, hedge, "bulkhead full at 0 s | 1 call | "},
    {adaptive, adaptive, "bulkhead full at 0 s | 1 call | "},
    {adaptive, chaos, "bulkhead full at 0 s | 1 call | "},

    {chaos, timeout, "injected fault at 0 s | 1 injection | "},
    {chaos, retry, "injected fault at 0 s | 1 injection | "},
    {chaos, breaker, "injected fault at 0 s | 1 injection | "},
    {chaos, limiter, "injected fault at 0 s | 1 injection | "},
    {chaos, bulkhead, "injected fault at 0 s | 1 injection | "},
    {chaos, throttle, "injected fault at 0 s | 1 injection | "},
    {chaos, fallback, "injected fault at 0 s | 1 injection | "},
    {chaos, hedge, "injected fault at 0 s | 1 injection | "},
    {chaos, adaptive, "injected fault at 0 s | 1 injection | "},
    {chaos, chaos, "injected fault at 0 s | 1 injection | "},
};

constexpr expectation with_little_time[] = {
    {timeout, timeout, "failed at 1 s, 1 call |  | "},
    {timeout, retry, "no time at 1 s, 1 call |  | "},
    {timeout, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {timeout, limiter, "no time at 0 s |  | 5 tokens"},
    {timeout, bulkhead, "failed at 1 s, 1 call |  | "},
    {timeout, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {timeout, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {timeout, hedge, "failed at 2 s, 2 calls |  | 1 hedge"},
    {timeout, adaptive, "failed at 1 s, 1 call |  | "},
    {timeout, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {retry, timeout, "no time at 1 s, 1 call |  | "},
    {retry, retry, "no time at 1 s, 1 call |  | "},
    {retry, breaker, "no time at 1 s, 1 call |  | 1 failure"},
    {retry, limiter, "no time at 0 s |  | 5 tokens"},
    {retry, bulkhead, "no time at 1 s, 1 call |  | "},
    {retry, throttle, "no time at 1 s, 1 call |  | 50 %"},
    {retry, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {retry, hedge, "no time at 2 s, 2 calls | 1 charge | 1 hedge"},
    {retry, adaptive, "no time at 1 s, 1 call |  | "},
    {retry, chaos, "no time at 1.25 s, 1 call |  | 1 injection"},

    {breaker, timeout, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, retry, "no time at 1 s, 1 call | 1 failure | "},
    {breaker, breaker, "failed at 1 s, 1 call | 1 failure | 1 failure"},
    {breaker, limiter, "no time at 0 s |  | 5 tokens"},
    {breaker, bulkhead, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, throttle, "failed at 1 s, 1 call | 1 failure | 50 %"},
    {breaker, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {breaker, hedge, "failed at 2 s, 2 calls | 1 failure | 1 hedge"},
    {breaker, adaptive, "failed at 1 s, 1 call | 1 failure | "},
    {breaker, chaos, "failed at 1.25 s, 1 call | 1 failure | 1 injection"},

    {limiter, timeout, "no time at 0 s | 5 tokens | "},
    {limiter, retry, "no time at 0 s | 5 tokens | "},
    {limiter, breaker, "no time at 0 s | 5 tokens | "},
    {limiter, limiter, "no time at 0 s | 5 tokens | 5 tokens"},
    {limiter, bulkhead, "no time at 0 s | 5 tokens | "},
    {limiter, throttle, "no time at 0 s | 5 tokens | "},
    {limiter, fallback, "no time at 0 s | 5 tokens | "},
    {limiter, hedge, "no time at 0 s | 5 tokens | "},
    {limiter, adaptive, "no time at 0 s | 5 tokens | "},
    {limiter, chaos, "no time at 0 s | 5 tokens | "},

    {bulkhead, timeout, "failed at 1 s, 1 call |  | "},
    {bulkhead, retry, "no time at 1 s, 1 call |  | "},
    {bulkhead, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {bulkhead, limiter, "no time at 0 s |  | 5 tokens"},
    {bulkhead, bulkhead, "failed at 1 s, 1 call |  | "},
    {bulkhead, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {bulkhead, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {bulkhead, hedge, "failed at 2 s, 2 calls |  | 1 hedge"},
    {bulkhead, adaptive, "failed at 1 s, 1 call |  | "},
    {bulkhead, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {throttle, timeout, "failed at 1 s, 1 call | 50 % | "},
    {throttle, retry, "no time at 1 s, 1 call | 50 % | "},
    {throttle, breaker, "failed at 1 s, 1 call | 50 % | 1 failure"},
    {throttle, limiter, "no time at 0 s |  | 5 tokens"},
    {throttle, bulkhead, "failed at 1 s, 1 call | 50 % | "},
    {throttle, throttle, "failed at 1 s, 1 call | 50 % | 50 %"},
    {throttle, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {throttle, hedge, "failed at 2 s, 2 calls | 50 % | 1 hedge"},
    {throttle, adaptive, "failed at 1 s, 1 call | 50 % | "},
    {throttle, chaos, "failed at 1.25 s, 1 call | 50 % | 1 injection"},

    {fallback, timeout, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, retry, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, breaker, "99 at 1 s, 1 call | 1 fall | 1 failure"},
    {fallback, limiter, "99 at 0 s | 1 fall | 5 tokens"},
    {fallback, bulkhead, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, throttle, "99 at 1 s, 1 call | 1 fall | 50 %"},
    {fallback, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {fallback, hedge, "99 at 2 s, 2 calls | 1 fall | 1 hedge"},
    {fallback, adaptive, "99 at 1 s, 1 call | 1 fall | "},
    {fallback, chaos, "99 at 1.25 s, 1 call | 1 fall | 1 injection"},

    {hedge, timeout, "failed at 2 s, 2 calls | 1 hedge | "},
    {hedge, retry, "no time at 2 s, 2 calls | 1 hedge | "},
    {hedge, breaker, "failed at 2 s, 2 calls | 1 hedge | 2 failures"},
    {hedge, limiter, "no time at 0 s | 1 hedge | 5 tokens"},
    {hedge, bulkhead, "failed at 2 s, 2 calls | 1 hedge | "},
    {hedge, throttle, "failed at 2 s, 2 calls | 1 hedge | 67 %"},
    {hedge, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {hedge, hedge, "failed at 2 s, 2 calls |  | 1 hedge"},
    {hedge, adaptive, "failed at 2 s, 2 calls | 1 hedge | "},
    {hedge, chaos, "failed at 2.5 s, 2 calls | 1 hedge | 2 injections"},

    {adaptive, timeout, "failed at 1 s, 1 call |  | "},
    {adaptive, retry, "no time at 1 s, 1 call |  | "},
    {adaptive, breaker, "failed at 1 s, 1 call |  | 1 failure"},
    {adaptive, limiter, "no time at 0 s |  | 5 tokens"},
    {adaptive, bulkhead, "failed at 1 s, 1 call |  | "},
    {adaptive, throttle, "failed at 1 s, 1 call |  | 50 %"},
    {adaptive, fallback, "99 at 1 s, 1 call |  | 1 fall"},
    {adaptive, hedge, "failed at 2 s, 2 calls |  | 1 hedge"},
    {adaptive, adaptive, "failed at 1 s, 1 call |  | "},
    {adaptive, chaos, "failed at 1.25 s, 1 call |  | 1 injection"},

    {chaos, timeout, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, retry, "no time at 1.25 s, 1 call | 1 injection | "},
    {chaos, breaker, "failed at 1.25 s, 1 call | 1 injection | 1 failure"},
    {chaos, limiter, "no time at 0.25 s | 1 injection | 5 tokens"},
    {chaos, bulkhead, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, throttle, "failed at 1.25 s, 1 call | 1 injection | 50 %"},
    {chaos, fallback, "99 at 1.25 s, 1 call | 1 injection | 1 fall"},
    {chaos, hedge, "failed at 2.25 s, 2 calls | 1 injection | 1 hedge"},
    {chaos, adaptive, "failed at 1.25 s, 1 call | 1 injection | "},
    {chaos, chaos, "failed at 1.5 s, 1 call | 1 injection | 1 injection"},
};

// Every pair to which the scenario applies must be in the table, once.
void check(scenario s, std::span<const expectation> table) {
  std::set<std::pair<kind, kind>> missing;
  for (std::size_t i = 0; i < kinds * kinds; ++i) {
    const auto outer = static_cast<kind>(i / kinds);
    const auto inner = static_cast<kind>(i % kinds);
    if (applies(s, outer, inner)) missing.emplace(outer, inner);
  }
  for (const auto& [outer, inner, report] : table) {
    SCOPED_TRACE(std::string(name_of(outer)) + " | " + name_of(inner));
    EXPECT_EQ(missing.erase({outer, inner}), 1u);
    world w;
    EXPECT_EQ(play(s, w, outer, inner), report);
    EXPECT_EQ(w.op.running(), 0u);
    EXPECT_TRUE(w.outer.at_rest());
    EXPECT_TRUE(w.inner.at_rest());
  }
  EXPECT_TRUE(missing.empty());
}

TEST(Composition, GivesTheResultThrough) { check(scenario::succeeds, when_it_succeeds); }
TEST(Composition, CountsAFailureForEachAttemptInsideAndForTheCallOutside) {
  check(scenario::fails, when_it_fails);
}
TEST(Composition, ComesThroughAFailureWhereThereIsARetry) { check(scenario::fails_once, when_it_fails_once); }
TEST(Composition, TakesTheHedgeThatIsFaster) { check(scenario::is_overtaken, when_it_is_overtaken); }
TEST(Composition, CountsATimeoutInsideAndNotOneOutside) { check(scenario::hangs, when_it_hangs); }
TEST(Composition, LeavesNothingCountedWhenTheCallerGivesUp) {
  check(scenario::gives_up, when_the_caller_gives_up);
}
TEST(Composition, GivesBackWhatItHeldWhenTheCallerQuitsALine) {
  check(scenario::quits_line, when_the_caller_quits_a_line);
}
TEST(Composition, CountsNothingOutsideOfWhatAPolicyInsideRefuses) {
  check(scenario::inner_refuses, when_the_inner_refuses);
}
TEST(Composition, TouchesNothingInsideOfWhatRefuses) {
  check(scenario::outer_refuses, when_the_outer_refuses);
}
TEST(Composition, RefusesAtOnceWhatCannotEndInTime) { check(scenario::little_time, with_little_time); }

// A probe of a half-open breaker, on either side of every other policy.
TEST(Composition, GivesAProbesPlaceBackWhenTheCallerGivesUp) {
  for (std::size_t i = 0; i < 2 * kinds; ++i) {
    const auto other = static_cast<kind>(i / 2);
    const bool outside = i % 2 == 0;
    SCOPED_TRACE(std::string("breaker ") + (outside ? "around " : "inside ") + name_of(other));
    world w;
    auto& b = (outside ? w.outer : w.inner).breaker;
    b.open_until(manual_clock::now());
    w.op.hangs();
    outside ? w.run_and_cancel(breaker, other, 500ms) : w.run_and_cancel(other, breaker, 500ms);
    EXPECT_EQ(b.state(), circuit_state::half_open);
    EXPECT_TRUE(b.try_permit());
  }
}

}  // namespace
}  // namespace dspu::aio::composition
