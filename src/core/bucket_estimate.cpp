#include "dspu/core/bucket_estimate.hpp"

#include <algorithm>
#include <cmath>

namespace dspu::core {

namespace {

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

constexpr double slowest = 1e-4;
constexpr double fastest = 1e9;
// Tokens: calls do not arrive as evenly as they are sent.
double slack(double rate) { return 1 + 0.001 * rate; }

// The least rate for which `holds` is true; it is so for all above.
template <class Predicate>
double least_rate(const Predicate& holds) {
  double low = std::log(slowest);
  double high = std::log(fastest);
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (holds(std::exp(middle)) ? high : low) = middle;
  }
  return std::exp(high);
}

}  // namespace

void bucket_estimate::begin(instant now, std::int64_t calls) {
  count_ = 1;
  segments_[0] = {now, calls};
  lost_ = 0;
}

void bucket_estimate::sent(instant) { ++segments_[count_ - 1].calls; }

void bucket_estimate::turn(instant now) {
  if (segments_[count_ - 1].begin == now) return;
  if (count_ == most) {  // the two oldest become one
    segments_[0].calls += segments_[1].calls;
    std::copy(segments_.begin() + 2, segments_.end(), segments_.begin() + 1);
    --count_;
  }
  segments_[count_++] = {now, 0};
}

std::int64_t bucket_estimate::calls() const {
  std::int64_t sum = -lost_;
  for (std::size_t i = 0; i < count_; ++i) sum += segments_[i].calls;
  return sum;
}

double bucket_estimate::depth(double rate) const { return std::max(1.0, first_calls_ - rate * first_span_); }

bucket_estimate::ending bucket_estimate::replay(double rate, instant t, std::int64_t after,
                                                duration gap) const {
  const double most_tokens = depth_known_ ? depth(rate) : 1e18;
  double tokens = full_ ? most_tokens : 0;
  double least = tokens;
  std::int64_t skip = after + lost_;
  std::array<std::int64_t, most> calls{};
  for (std::size_t i = count_; i-- > 0;) {  // those sent after it and those lost are the latest ones
    const auto n = std::min(skip, segments_[i].calls);
    calls[i] = segments_[i].calls - n;
    skip -= n;
  }
  for (std::size_t i = 0; i < count_; ++i) {
    const instant begin = std::min(segments_[i].begin, t);
    const instant end = i + 1 < count_ ? std::min(segments_[i + 1].begin, t) : std::max(t - gap, begin);
    const auto n = static_cast<double>(calls[i]);
    tokens = std::min(tokens + rate * seconds(end - begin) - n, n > 0 ? most_tokens - 1 : most_tokens);
    least = std::min(least, tokens);
  }
  return {least, std::min(tokens + rate * seconds(gap), most_tokens)};
}

rate_range bucket_estimate::at_refusal(instant t, std::int64_t after, duration gap) const {
  return {least_rate([&](double r) { return replay(r, t, after, gap).least >= -slack(r); }),
          least_rate([&](double r) { return replay(r, t, after, gap).last >= 1; })};
}

double bucket_estimate::tokens(double rate, instant now) const {
  return replay(rate, now, 0, duration{0}).last;
}

void bucket_estimate::empty_at(instant t, std::int64_t after) {
  if (!depth_known_) {
    first_calls_ = static_cast<double>(calls() - after);
    first_span_ = seconds(t - since());
    depth_known_ = true;
  }
  full_ = false;
  begin(t, after);
}

}  // namespace dspu::core
