#include "dspu/core/adaptive_limit.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dspu::core {

namespace {

constexpr double steepest = 0.5;      // of gradient2's gradients: no window halves the limit twice
constexpr std::int64_t warm_up = 10;  // windows of a plain mean, before the average moves
constexpr double too_high = 2;        // times the latency: load is over, and the average comes down
constexpr double come_down = 0.95;

bool within(double x, double low, double high) { return x >= low && x <= high; }
bool within(std::int64_t x, std::int64_t low, std::int64_t high) { return x >= low && x <= high; }

const adaptive_limit_options& checked(const adaptive_limit_options& o) {
  require(o.min >= 1, "adaptive_limit.min", o.min, "at least 1");
  require(within(o.max, o.min, 1'000'000), "adaptive_limit.max", o.max, "min to 1e6");
  require(within(o.initial, o.min, o.max), "adaptive_limit.initial", o.initial, "min to max");
  require(o.aimd.backoff_ratio >= 0.5 && o.aimd.backoff_ratio < 1, "adaptive_limit.aimd.backoff_ratio",
          o.aimd.backoff_ratio, "at least 0.5 and below 1");
  require(o.aimd.timeout > duration{0}, "adaptive_limit.aimd.timeout", o.aimd.timeout, "above 0 s");
  require(within(o.vegas.probe_multiplier, 1, 1'000'000), "adaptive_limit.vegas.probe_multiplier",
          o.vegas.probe_multiplier, "1 to 1e6");
  const auto& g = o.gradient2;
  require(g.window >= duration{0}, "adaptive_limit.gradient2.window", g.window, "at least 0 s");
  require(g.min_samples >= 1, "adaptive_limit.gradient2.min_samples", g.min_samples, "at least 1");
  require(within(g.queue, 0, 1'000'000), "adaptive_limit.gradient2.queue", g.queue, "0 to 1e6");
  require(within(g.tolerance, 1, 1000), "adaptive_limit.gradient2.tolerance", g.tolerance, "1 to 1000");
  require(g.smoothing > 0 && g.smoothing <= 1, "adaptive_limit.gradient2.smoothing", g.smoothing,
          "above 0 and at most 1");
  require(within(g.long_window, 1, 1'000'000'000), "adaptive_limit.gradient2.long_window", g.long_window,
          "1 to 1e9");
  return o;
}

double whole_log10(double limit) { return std::max(1.0, std::floor(std::log10(limit))); }

double nanoseconds(duration d) { return static_cast<double>(d.count()); }

}  // namespace

adaptive_limit::adaptive_limit(const adaptive_limit_options& options, std::uint64_t seed)
    : options_(checked(options)), random_(seed), limit_(static_cast<double>(options.initial)) {
  probe_jitter_ = 0.5 + random_.unit() / 2;
}

void adaptive_limit::reconfigure(const adaptive_limit_options& options) {
  const bool same = checked(options).algorithm == options_.algorithm;
  options_ = options;
  move_to(limit_);
  if (same) return;
  limit_ = std::floor(limit_);
  baseline_ = 0;
  since_probe_ = probe_samples_ = windows_ = 0;
  probing_ = false;
  window_ = {};
}

std::int64_t adaptive_limit::sample(duration rtt, std::int64_t in_flight, bool dropped, instant now) {
  rtt = std::max(rtt, duration{1});
  switch (options_.algorithm) {
    case limit_algorithm::aimd:
      aimd(rtt, in_flight, dropped);
      break;
    case limit_algorithm::vegas:
      vegas(rtt, in_flight, dropped);
      break;
    case limit_algorithm::gradient2:
      gradient2(rtt, in_flight, dropped, now);
      break;
  }
  return limit();
}

void adaptive_limit::move_to(double limit) {
  limit_ = std::clamp(limit, static_cast<double>(options_.min), static_cast<double>(options_.max));
}

void adaptive_limit::aimd(duration rtt, std::int64_t in_flight, bool dropped) {
  if (dropped || rtt > options_.aimd.timeout) {
    move_to(std::floor(limit_ * options_.aimd.backoff_ratio));  // one less at least: limit_ is whole
  } else if (2 * static_cast<double>(in_flight) >= limit_) {
    move_to(limit_ + 1);
  }
}

void adaptive_limit::vegas(duration rtt, std::int64_t in_flight, bool dropped) {
  const double log = whole_log10(limit_);
  if (dropped) return move_to(limit_ - log);
  if (probing_) return probe(rtt, in_flight);
  ++since_probe_;
  if (static_cast<double>(since_probe_) >=
      probe_jitter_ * static_cast<double>(options_.vegas.probe_multiplier) * limit_) {
    probing_ = true;
    return;
  }
  const double now = nanoseconds(rtt);
  if (baseline_ == 0 || now < baseline_) {
    baseline_ = now;
    return;
  }
  if (2 * static_cast<double>(in_flight) < limit_) return;
  const double queue = std::ceil(limit_ * (now - baseline_) / now);
  if (queue <= log) return move_to(limit_ + 6 * log);
  if (queue < 3 * log) return move_to(limit_ + log);
  if (queue > 6 * log) move_to(limit_ - log);
}

// Calls that began with fewer in flight count, which those begun before the limit fell do not.
void adaptive_limit::probe(duration rtt, std::int64_t in_flight) {
  if (in_flight > probe_limit()) return;
  probe_least_ = probe_samples_ == 0 ? nanoseconds(rtt) : std::min(probe_least_, nanoseconds(rtt));
  if (++probe_samples_ < probe_limit()) return;
  baseline_ = probe_least_;
  probe_jitter_ = 0.5 + random_.unit() / 2;
  since_probe_ = probe_samples_ = 0;
  probing_ = false;
}

std::int64_t adaptive_limit::probe_limit() const {
  return std::max(options_.min, static_cast<std::int64_t>(limit_) / 2);
}

void adaptive_limit::gradient2(duration rtt, std::int64_t in_flight, bool dropped, instant now) {
  if (window_.samples == 0) window_.end = add_saturating(now, options_.gradient2.window);
  ++window_.samples;
  window_.most_in_flight = std::max(window_.most_in_flight, in_flight);
  if (dropped) {
    ++window_.dropped;
  } else {
    window_.sum += nanoseconds(rtt);
  }
  if (now >= window_.end && window_.samples >= options_.gradient2.min_samples)
    close(std::exchange(window_, {}));
}

void adaptive_limit::close(const window& w) {
  const auto& o = options_.gradient2;
  double gradient = 1;
  if (const std::int64_t answered = w.samples - w.dropped; answered > 0) {
    const double rtt = w.sum / static_cast<double>(answered);
    gradient = std::clamp(o.tolerance * average(rtt) / rtt, steepest, 1.0);
  }
  const bool idle = 2 * static_cast<double>(w.most_in_flight) < limit_;
  if (idle && w.dropped == 0) return;

  const double drops = static_cast<double>(w.dropped) / static_cast<double>(w.samples);
  const double queue = idle || gradient < 1 ? 0 : (1 - drops) * static_cast<double>(o.queue);
  const double next = ((1 - drops) * gradient + drops * steepest) * limit_ + queue;
  move_to((1 - o.smoothing) * limit_ + o.smoothing * next);
}

// The long average, this latency included: a mean at first, then exponential with the weight of N's span, 2 /
// (N + 1).
double adaptive_limit::average(double rtt) {
  const bool warming = windows_ < warm_up;
  if (warming) ++windows_;
  const auto span = static_cast<double>(options_.gradient2.long_window);
  const double weight = warming ? 1 / static_cast<double>(windows_) : 2 / (span + 1);
  const double seen = baseline_ + weight * (rtt - baseline_);
  baseline_ = seen > too_high * rtt ? seen * come_down : seen;
  return seen;
}

}  // namespace dspu::core
