// The throttle against a list of all its calls, counted afresh at each question.
#include "dspu/core/throttle_machine.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace dspu::core {
namespace {

struct event {
  std::int64_t slot;
  bool accepted;
};

RC_GTEST_PROP(ThrottleProperty, RefusesAsTheFormulaSaysOfTheLastWindow, ()) {
  const auto seconds = *rc::gen::inRange<std::int64_t>(1, 600);
  const std::int64_t window = seconds * 1'000'000'000;
  const std::int64_t step = (window + 23) / 24;
  const throttle_options options{.k = *rc::gen::element(1.0, 1.5, 2.0, 5.0),
                                 .window = duration{window},
                                 .max_rejection = *rc::gen::element(0.0, 0.5, 0.9, 1.0),
                                 .min_requests = *rc::gen::inRange<std::int64_t>(0, 20)};
  throttle_machine subject(options);
  std::vector<event> log;
  std::int64_t now = *rc::gen::inRange<std::int64_t>(0, window);
  for (int i = 0; i < 300; ++i) {
    const instant t{duration{now}};
    const std::int64_t slot = now / step;
    const auto lately = [slot](const event& e) { return e.slot > slot - 24; };
    const auto requests = std::ranges::count_if(log, lately);
    const auto accepts = std::ranges::count_if(log, [&](const event& e) { return lately(e) && e.accepted; });
    const double over = static_cast<double>(requests) - options.k * static_cast<double>(accepts);
    double p = over > 0 ? over / static_cast<double>(requests + 1) : 0.0;
    if (requests < options.min_requests) p = 0;
    p = std::min(p, options.max_rejection);
    RC_ASSERT(subject.requests(t) == requests);
    RC_ASSERT(subject.accepts(t) == accepts);
    RC_ASSERT(subject.rejection_probability(t) == p);

    switch (*rc::gen::inRange(0, 3)) {
      case 0: {
        const double unit = *rc::gen::inRange(0, 1000) / 1000.0;
        RC_ASSERT(subject.admit(unit, t) == (unit >= p));
        if (unit < p) log.push_back({slot, false});
        break;
      }
      case 1: {
        const bool accepted = *rc::gen::arbitrary<bool>();
        subject.record(accepted, t);
        log.push_back({slot, accepted});
        break;
      }
      case 2:
        now += *rc::gen::inRange<std::int64_t>(0, 3 * step);
        break;
    }
  }
}

}  // namespace
}  // namespace dspu::core
