// What is measured: each item beside its floor, the same work written by hand.
#pragma once

#include "measure.hpp"

#include <span>
#include <string_view>

namespace dspu::bench {

using work = sample (*)(std::int64_t operations);

struct item {
  std::string_view name;
  std::string_view floor;  // what the floor does
  double target;           // the ratio to reach; 0: none is set
  std::int64_t operations; // in one round
  bool counted;            // instructions repeat exactly: one thread, no waiting
  work measure_floor;
  work measure;
};

std::span<const item> items();

}  // namespace dspu::bench
