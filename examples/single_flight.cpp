// A hundred callers want the same page at once; it is fetched once. In simulated time.
#include <dspu/aio/gather.hpp>
#include <dspu/aio/single_flight.hpp>
#include <dspu/testing/simulator.hpp>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace dspu::aio;
using namespace std::chrono_literals;

int fetched = 0;

asio::awaitable<std::string> fetch(std::string url) {
  ++fetched;
  dspu::testing::manual_timer timer(co_await asio::this_coro::executor, 10ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return "what is at " + url;
}

asio::awaitable<void> run() {
  single_flight<std::string, std::string> once;
  const std::vector<std::string> wanted(100, "/news");
  const auto get = [&once](const std::string& url) { return once.call(url, fetch, url); };
  const gather_options all_at_once{.limit = 100};
  const auto pages = co_await map_with_limit(wanted, get, all_at_once);
  std::printf("%zu callers got \"%s\", fetched %d time\n", pages.size(), pages.back().c_str(), fetched);
}

int main() {
  dspu::testing::simulator sim;
  sim.run(run());
}
