// A server that is overloaded for a minute. Its clients send less as it refuses more, and more as it accepts again.
#include <dspu/aio/throttle.hpp>
#include <dspu/core/random.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>
#include <stdexcept>

namespace aio = dspu::aio;
using namespace std::chrono_literals;

bool overloaded = false;
int arrived = 0;

boost::asio::awaitable<void> ask() {
  ++arrived;
  if (overloaded) throw std::runtime_error("503");
  co_return;
}

int main() {
  dspu::testing::simulator sim;
  dspu::core::random_source dice{1};
  aio::basic_throttle<dspu::testing::manual_clock> polite{{.k = 2, .window = 30s, .random = [&] { return dice.unit(); }}};

  const auto a_minute_of_calls = [&](const char* when) {
    arrived = 0;
    for (int i = 0; i < 600; ++i) {
      try {
        sim.run(polite.call(ask));
      } catch (const aio::throttled_error&) {  // not sent
      } catch (const std::runtime_error&) {    // sent, and refused by the server
      }
      sim.run_for(100ms);
    }
    std::printf("%s: %d of 600 calls reached the server\n", when, arrived);
  };
  a_minute_of_calls("all is well");
  overloaded = true;
  a_minute_of_calls("overloaded");
  overloaded = false;
  a_minute_of_calls("well again");
  a_minute_of_calls("a minute later");
}
