// Cancels a scenario at each of its suspension points in turn, and destroys its event loop there.
//
// A suspension point is what lies between two functions of the event loop: a scenario is run once to count
// them, then once again for each, on the simulator, where it goes the same way every time.
#pragma once

#include "cancellation/scenarios.hpp"

#include <cstddef>
#include <string>

namespace dspu::aio::proof {

struct findings {
  std::size_t points = 0;  // cancellations and destructions tried
  std::string complaints;  // a line each; empty if all promises held
};

// Each throws nothing and changes no state but manual_clock's.
findings cancel_everywhere(const scenario& s);
findings destroy_everywhere(const scenario& s);
findings stop_everywhere(const blocking_scenario& s);
findings destroy_everywhere(const blocking_scenario& s);

}  // namespace dspu::aio::proof
