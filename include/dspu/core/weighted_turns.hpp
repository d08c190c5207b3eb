// Whose turn it is among classes that share what is served by weights, so that none starves.
//
// Start-time fair queueing (Goyal, Vin, Cheng 1996): each class has a pass that moves on by what it was
// served, divided by its weight; the least pass is next, the higher class where two are equal. A class that
// was away comes back at the pass of whoever was served last, so it neither catches up on the time nor pays
// for it.
//
// Bound: while a class waits for A (its own and what waits in front of it in its class) others are served no
// more than (A + m) · (w₁ + w₂)/w + 2m, where m is the most that is asked for at once, w its weight, w₁ and
// w₂ the others'. Pure; one user at a time.
#pragma once

#include <array>
#include <cstddef>

namespace dspu::core {

class weighted_turns {
 public:
  static constexpr int classes = 3;
  static constexpr std::array<int, classes> weights{1, 4, 16};

  // Class `c` has somebody waiting again.
  void join(int c) {
    if (pass(c) < served_at_) pass(c) = served_at_;
  }

  // Bit c of `waiting`: somebody of class c waits. Requires: waiting is not 0.
  int next(unsigned waiting) const {
    int best = -1;
    for (int c = classes - 1; c >= 0; --c) {
      if ((waiting >> c & 1U) != 0 && (best < 0 || pass(c) < pass(best))) best = c;
    }
    return best;
  }

  // Tokens count in 2^-20ths: at least one.
  void serve(int c, double tokens) {
    served_at_ = pass(c);
    pass(c) += cost(c, tokens);
  }
  // What was served was not taken after all.
  void give_back(int c, double tokens) { pass(c) -= cost(c, tokens); }

 private:
  static __int128 cost(int c, double tokens) {
    const auto parts = static_cast<__int128>(tokens * 0x1p20 + 0.5);
    return (parts < 1 ? 1 : parts) * (weights.back() / weights[static_cast<std::size_t>(c)]);
  }
  __int128& pass(int c) { return passes_[static_cast<std::size_t>(c)]; }
  const __int128& pass(int c) const { return passes_[static_cast<std::size_t>(c)]; }

  std::array<__int128, classes> passes_{};
  __int128 served_at_ = 0;  // the pass of whoever was served last, before that
};

}  // namespace dspu::core
