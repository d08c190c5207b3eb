// Sheds load in the client once a server refuses much of it: adaptive throttling.
//
//   throttle_machine throttle({});
//   if (!throttle.admit(random.unit(), now)) …    // refused here; nothing was sent
//   throttle.record(accepted, now);               // the server answered: it took the call, or it refused
//
// A call is refused with the probability
//
//   p = max(0, (requests − K · accepts) / (requests + 1)), at most max_rejection
//
// over the last `window` (Beyer et al., "Site Reliability Engineering", chapter 21, "Client-Side
// Throttling"). What is refused here counts as a request too, so p goes on rising while the server accepts
// little. As accepts grow again, p falls without any state to leave. K = 2 sends about twice what the server
// accepts; less is more aggressive.
//
// Where the book is silent: an admitted call counts once its outcome is known, so that a burst of first calls
// does not look refused while it is under way, and a cancelled call, never recorded, counts neither way. With
// fewer than min_requests there is no p yet.
//
// "Accepted" is what the server did, not whether the answer was welcome: an overload reply (429, 503) or no
// answer in time is a refusal; a 404 is accepted. Memory is fixed. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/sliding_sum.hpp"

#include <cstdint>

namespace dspu::core {

struct throttle_options {
  double k = 2;                                 // 1 to 1e6: requests allowed for one that is accepted
  duration window = std::chrono::seconds{120};  // 1 s to 24 h: what counts, in 24 steps
  double max_rejection = 0.9;      // 0 to 1: the rest gets through to see whether the server is back
  std::int64_t min_requests = 10;  // >= 0: in the window; one failure of a quiet client is no sign
};

class throttle_machine {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit throttle_machine(const throttle_options& options);

  // `unit` is uniform in [0, 1). An admitted call is recorded once at most.
  bool admit(double unit, instant now);

  void record(bool accepted, instant now);

  // In [0, max_rejection].
  double rejection_probability(instant now);

  // Of the last window: calls recorded and calls refused by admit(); and of these, accepted.
  std::int64_t requests(instant now) { return requests_.sum(now); }
  std::int64_t accepts(instant now) { return accepts_.sum(now); }

  // Other options from now on. What was counted stays, but if the window is another: then it starts anew.
  // Throws: std::invalid_argument as the constructor does; nothing has changed then.
  void reconfigure(const throttle_options& options);

  // Whether it decides as a new one would: nothing counts any more.
  bool is_fresh(instant now) { return requests_.sum(now) == 0; }

  const throttle_options& options() const { return options_; }

 private:
  static constexpr std::size_t slots = 24;

  throttle_options options_;
  sliding_sum<slots> requests_;
  sliding_sum<slots> accepts_;
};

}  // namespace dspu::core
