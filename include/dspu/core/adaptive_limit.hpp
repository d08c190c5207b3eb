// How many calls to have in flight, learnt from how long they take and which of them are dropped.
//
//   adaptive_limit limit({.algorithm = limit_algorithm::vegas}, seed);
//   // a call ends: how long it took, how many were in flight as it began (itself among them), and
//   // whether it was dropped
//   places.set_limit(limit.sample(rtt, in_flight, false, now));
//
// A drop is a timeout or a refusal for overload. It lowers the limit and is never taken for a latency:
// refusals are fast, and timeouts are all alike. Calls that tell nothing of the load (cancelled, failed
// before they were sent) are not sampled. While in_flight < limit / 2 nothing grows: a limit that nobody
// reaches cannot be known to be good.
//
// The formulas are those of Netflix's concurrency-limits (AIMDLimit, VegasLimit, and Gradient2Limit in
// WindowedLimit):
//
//   aimd       dropped, or rtt > timeout: L := floor(L · backoff_ratio); else L := L + 1
//   vegas      with rtt0 the least rtt seen, a queue q = ceil(L · (1 − rtt0 / rtt)), and
//              log = max(1, floor(log10 L)):
//              dropped: −log; q <= log: +6 log; q < 3 log: +log; q > 6 log: −log
//   gradient2  once a window, with rtt its mean, and long the moving average of these over long_window
//              windows (and times 0.95 while it is above 2 rtt):
//              g = clamp(tolerance · long / rtt, 0.5, 1)
//              L := (1 − smoothing) · L + smoothing · (g · L + queue)
//
// Where these differ, it is for a fault known there (issues and pull requests of Netflix/concurrency-limits):
//
//   vegas      rtt0 is taken anew after 15 to 30 times L samples. There from one sample under load, so that
//              it rises with the queue that the limit itself makes, and the limit without end (issue 165).
//              Here the limit is halved until as many calls have been measured at that load, as BBR does; that
//              takes a few percent of throughput.
//   gradient2  drops are ignored there, so that constant timeouts look like a steady latency, and the limit
//              grows to its most (issue 137). Here a dropped sample counts in g as 0.5, and earns no share of
//              `queue`.
//   gradient2  `queue` is added there at any g, so that the limit can rise as latency does (pull request
//              134). Here only at g = 1.
//   gradient2  a window with fewer than min_samples is thrown away there, so that few calls, all timing out,
//              never count. Here it stays open.
//
// Choose: aimd where overload shows as refusals; vegas where latencies are even; gradient2 where they are
// not, but where callers always use the whole limit, its average follows the queue, and only `max` bounds it.
//
// Memory is fixed. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"
#include "dspu/core/random.hpp"

#include <cstdint>

namespace dspu::core {

enum class limit_algorithm { aimd, vegas, gradient2 };

struct aimd_options {
  double backoff_ratio = 0.9;                  // 0.5 to 1, without 1: what a drop leaves of the limit
  duration timeout = std::chrono::seconds{5};  // > 0: a call that takes longer counts as dropped
};

struct vegas_options {
  // 1 to 1e6: rtt0 is taken anew after this many times the limit, or down to half of it. Less follows a change
  // of the server sooner and costs more.
  std::int64_t probe_multiplier = 30;
};

struct gradient2_options {
  duration window = std::chrono::seconds{1};  // >= 0: the limit changes once in it
  std::int64_t min_samples = 10;              // >= 1: in a window
  std::int64_t queue = 4;  // 0 to 1e6: calls queued at the server that are welcome; the step of growth
  double tolerance = 1.5;  // 1 to 1000: how far latency may rise above its average
  double smoothing = 0.2;  // above 0, at most 1: smaller is calmer and slower
  std::int64_t long_window = 600;  // 1 to 1e9 windows: what the average is over
};

struct adaptive_limit_options {
  limit_algorithm algorithm = limit_algorithm::gradient2;
  std::int64_t initial = 20;  // min to max
  std::int64_t min = 1;       // >= 1: higher keeps more going, whatever the server says
  std::int64_t max = 200;     // min to 1e6
  aimd_options aimd{};
  vegas_options vegas{};
  gradient2_options gradient2{};
};

class adaptive_limit {
 public:
  // `seed` spreads the probes of vegas, so that clients do not probe together.
  // Throws: std::invalid_argument naming the option, its value and its range.
  adaptive_limit(const adaptive_limit_options& options, std::uint64_t seed);

  // Returns: limit().
  std::int64_t sample(duration rtt, std::int64_t in_flight, bool dropped, instant now);

  // New options for one in use. The limit stays, cut to the new range; so does what was learnt, unless the algorithm
  // is another. `initial` changes nothing. Throws: std::invalid_argument; nothing has changed then.
  void reconfigure(const adaptive_limit_options& options);

  // Whether it decides as a new one would: it is where it began, and has learnt nothing.
  bool is_fresh() const {
    return limit_ == static_cast<double>(options_.initial) && baseline_ == 0 && since_probe_ == 0 &&
           !probing_ && window_.samples == 0;
  }

  // In [min, max].
  std::int64_t limit() const { return probing_ ? probe_limit() : static_cast<std::int64_t>(limit_); }

  // What latency is compared with: rtt0 of vegas, the long average of gradient2; 0 before there is one.
  duration baseline() const { return duration{static_cast<std::int64_t>(baseline_)}; }

  const adaptive_limit_options& options() const { return options_; }

 private:
  struct window {
    std::int64_t samples = 0;
    std::int64_t dropped = 0;
    std::int64_t most_in_flight = 0;
    double sum = 0;  // of the rtts of those not dropped, ns
    instant end{};
  };

  void aimd(duration rtt, std::int64_t in_flight, bool dropped);
  void vegas(duration rtt, std::int64_t in_flight, bool dropped);
  void probe(duration rtt, std::int64_t in_flight);
  void gradient2(duration rtt, std::int64_t in_flight, bool dropped, instant now);
  void close(const window& w);
  double average(double rtt);
  void move_to(double limit);
  std::int64_t probe_limit() const;

  adaptive_limit_options options_;
  random_source random_;
  double limit_;         // whole but for gradient2; what it returns to while probing
  double baseline_ = 0;  // ns

  double probe_jitter_ = 1;       // in [0.5, 1)
  std::int64_t since_probe_ = 0;  // samples
  bool probing_ = false;
  std::int64_t probe_samples_ = 0;  // taken at the lower load
  double probe_least_ = 0;          // of these, ns

  window window_;
  std::int64_t windows_ = 0;  // that the average is over, until it moves
};

}  // namespace dspu::core
