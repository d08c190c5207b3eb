// Keyed policies against a model that is a plain map, and decides what may go by what was done to each key.
#include "dspu/aio/keyed.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/testing/manual_clock.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using limiters = keyed<basic_rate_limiter<manual_clock>>;
using breakers = keyed<basic_circuit_breaker<manual_clock>>;

std::string any_key() { return std::to_string(*rc::gen::inRange(0, 12)); }

// Of what a limiter has left: a whole number of tokens, at one a second.
struct limiter_model {
  static constexpr int capacity = 4;
  int missing = 0;
  bool fresh() const { return missing == 0; }
};
struct breaker_model {
  static constexpr int threshold = 3;
  int failures = 0;
  bool fresh() const { return failures == 0; }
};

template <class Model>
struct model {
  std::size_t max_keys;
  std::map<std::string, Model> there{};
  std::multiset<std::string> held{};
  std::size_t evicted = 0;

  bool may_go(const std::string& key) const { return there.at(key).fresh() && held.count(key) == 0; }
  bool anything_may_go() const {
    return std::ranges::any_of(there, [this](const auto& e) { return may_go(e.first); });
  }
  // What `all` did to make room, which is its own choice, must have been allowed.
  template <class All>
  void follow(All& all) {
    std::set<std::string> left;
    all.for_each([&](const std::string& key, auto&) { left.insert(key); });
    for (auto i = there.begin(); i != there.end();) {
      if (left.contains(i->first)) {
        ++i;
        continue;
      }
      RC_ASSERT(may_go(i->first));
      ++evicted;
      i = there.erase(i);
    }
  }
};

// Touches a key. Returns: null if there was no room, and there must have been none.
template <class Model, class All>
std::optional<typename All::handle> touch(model<Model>& m, All& all, const std::string& key) {
  const bool known = m.there.contains(key);
  const bool room = known || m.there.size() < m.max_keys || m.anything_may_go();
  const auto before = m.there.size();
  try {
    auto handle = all.get(key);
    RC_ASSERT(room);
    if (!known) {
      m.held.insert(key);  // so that it is not looked for among those that went
      m.follow(all);
      m.held.erase(m.held.find(key));
      RC_ASSERT(m.there.size() == (before < m.max_keys ? before : before - 1));
      m.there.emplace(key, Model{});
    }
    return handle;
  } catch (const too_many_keys_error& e) {
    RC_ASSERT(!room);
    RC_ASSERT(e.limit() == m.max_keys);
    return std::nullopt;
  }
}

template <class Model, class All>
void check_same(const model<Model>& m, const All& all) {
  const auto s = all.statistics();
  RC_ASSERT(s.keys == m.there.size());
  RC_ASSERT(s.keys <= m.max_keys);
  RC_ASSERT(s.evicted == m.evicted);
  RC_ASSERT(s.created == s.keys + s.evicted);
}

keyed_options<> any_options() {
  return {.max_keys = *rc::gen::inRange<std::size_t>(1, 8), .shards = *rc::gen::inRange<std::size_t>(1, 5)};
}

constexpr int steps = 200;

RC_GTEST_PROP(KeyedProperty, ForgetsNoLimiterThatAnybodyCouldTellFromANewOne, ()) {
  const auto options = any_options();
  limiters all{{.rate = 1, .capacity = limiter_model::capacity}, options};
  model<limiter_model> m{options.max_keys};
  std::vector<limiters::handle> handles;
  for (int i = 0; i < steps; ++i) {
    const auto key = any_key();
    switch (*rc::gen::weightedElement<int>({{6, 0}, {2, 1}, {2, 2}, {2, 3}})) {
      case 0: {  // take some
        const auto held = touch(m, all, key);
        if (!held) break;
        const int n = *rc::gen::inRange(1, limiter_model::capacity + 1);
        const bool enough = m.there.at(key).missing + n <= limiter_model::capacity;
        RC_ASSERT((*held)->try_acquire(n) == enough);
        if (enough) m.there.at(key).missing += n;
        break;
      }
      case 1:  // hold it
        if (auto held = touch(m, all, key)) {
          handles.push_back(*held);
          m.held.insert(key);
        }
        break;
      case 2:  // let one go
        if (handles.empty()) break;
        m.held.erase(m.held.find(handles.front().key()));
        handles.erase(handles.begin());
        break;
      default: {
        const int seconds = *rc::gen::inRange(1, 4);
        manual_clock::advance(seconds * 1s);
        for (auto& [name, l] : m.there) l.missing = std::max(0, l.missing - seconds);
      }
    }
    check_same(m, all);
  }
}

RC_GTEST_PROP(KeyedProperty, ForgetsNoBreakerThatHasCountedAnything, ()) {
  const auto options = any_options();
  breakers all{{.failure_threshold = breaker_model::threshold, .timeout = 1h}, options};
  model<breaker_model> m{options.max_keys};
  for (int i = 0; i < steps; ++i) {
    const auto key = any_key();
    const auto held = touch(m, all, key);
    if (!held) continue;
    auto& counted = m.there.at(key).failures;
    m.held.insert(key);
    const bool open = counted == breaker_model::threshold;
    auto permit = (*held)->try_permit();
    RC_ASSERT(static_cast<bool>(permit) == !open);
    const auto v = *rc::gen::weightedElement<verdict>(
        {{3, verdict::success}, {3, verdict::failure}, {1, verdict::ignored}});
    permit.settle(v);
    if (!open && v == verdict::failure) ++counted;
    if (!open && v == verdict::success) counted = 0;
    if (open && *rc::gen::inRange(0, 2) == 0) {
      (*held)->reset();
      counted = 0;
    }
    m.held.erase(m.held.find(key));
    check_same(m, all);
  }
}

}  // namespace
}  // namespace dspu::aio
