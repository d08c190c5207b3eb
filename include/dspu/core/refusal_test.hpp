// Whether refusals come more often than by chance.
//
//   refusal_test test;
//   test.admitted();
//   if (test.refused(test_threshold(calls))) …   // about a fifth is refused: that depends on what is sent
//
// Page's CUSUM: the sum of the log-likelihood ratios of "a fifth is refused" to "a fiftieth is", never below
// 0. A threshold that grows with the logarithm of the number of calls keeps the chance of a false alarm small
// however long a run is (Wald 1945): with a share of 1 % refused at random, less than one alarm in a million
// calls. Not synchronised: one user at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace dspu::core {

class refusal_test {
 public:
  // Returns: whether it has become likely, after so many calls in all.
  bool refused(std::int64_t calls) {
    sum_ += refusal_;
    return sum_ >= 5 + 0.5 * std::log1p(static_cast<double>(calls));
  }
  void admitted() { sum_ = std::max(0.0, sum_ + admission_); }
  void reset() { sum_ = 0; }
  // Such a share is refused by chance: only clearly more than that says anything.
  void expect(double share) {
    const double chance = std::min(1.5 * share, 0.6);
    const double load = (1 + 2 * chance) / 3;
    refusal_ = std::log(load / chance);
    admission_ = std::log((1 - load) / (1 - chance));
    sum_ = 0;
  }
  // Nothing is being judged.
  bool quiet() const { return sum_ == 0; }

 private:
  double refusal_ = 2.303;     // ln(0.2 / 0.02)
  double admission_ = -0.203;  // ln(0.8 / 0.98)
  double sum_ = 0;
};

}  // namespace dspu::core
