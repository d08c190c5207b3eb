// What is tried with every pair.
#pragma once

#include "composition/world.hpp"

namespace dspu::aio::composition {

enum class scenario {
  succeeds,       // the operation gives 7 after 1 s
  fails,          // it fails after 1 s, whenever it is run
  fails_once,     // it fails after 1 s, then gives 7 after 1 s
  is_overtaken,   // it gives 5 after 20 s, and 7 after 1 s when it is run again: for pairs with a hedge
  hangs,          // it never ends by itself: for pairs with a timeout
  gives_up,       // it never ends, and the caller gives up after 0.5 s
  quits_line,     // the policy inside makes it wait (chaos: delays it), and the caller gives up after 1.5 s
  inner_refuses,  // the policy inside lets nobody through (chaos: injects faults)
  outer_refuses,  // the policy outside lets nobody through
  little_time,    // it fails after 1 s, 2 s are left for the call, and limiters are empty
};
inline constexpr std::size_t scenarios = 10;
const char* name_of(scenario s);

// Whether there is anything to be seen: not every policy refuses.
bool applies(scenario s, kind around, kind inside);
std::string play(scenario s, world& w, kind around, kind inside);

}  // namespace dspu::aio::composition
