// A small seeded source of random numbers, for jitter: SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable
// pseudorandom number generators"). A UniformRandomBitGenerator of 8 bytes; not for secrets.
#pragma once

#include <cstdint>
#include <limits>

namespace dspu::core {

class random_source {
 public:
  using result_type = std::uint64_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  constexpr explicit random_source(std::uint64_t seed) : state_(seed) {}

  constexpr result_type operator()() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

  // Uniform in [0, 1): the 53 bits that a double holds.
  constexpr double unit() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace dspu::core
