// Cancels a scenario at each of its suspension points in turn, and destroys its event loop there.
//
// A suspension point is what lies between two functions of the event loop: a scenario is run once to count
// them, then once again for each, on the simulator, where it goes the same way every time.
#pragma once

#include "cancellation/world.hpp"

#include <cstddef>
#include <stop_token>
#include <string>

namespace dspu::aio::proof {

struct scenario {
  const char* name;
  awaitable<void> (*body)(world&);
  // Ends later than it is cancelled: an operation ignores that, or a listener is told to the end.
  bool takes_its_time = false;
  // Leaves work running on purpose: shield.
  bool detaches = false;
  void (*prepare)(world&) = nullptr;
};

// A thread that is blocked in a bridge, while what it waits for runs on the simulator.
struct blocking_scenario {
  const char* name;
  void (*body)(world&, asio::io_context&, std::stop_token);
};

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
