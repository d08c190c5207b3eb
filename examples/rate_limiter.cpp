// A limiter of 100 requests a second with room for 5 at once: the first five go at once, the others in turn.
#include <dspu/aio/rate_limiter.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> request(dspu::aio::rate_limiter& limiter, int id, std::chrono::steady_clock::time_point start) {
  const bool at_once = limiter.try_acquire();
  if (!at_once) co_await limiter.acquire();
  const auto waited = std::chrono::steady_clock::now() - start;
  std::printf("request %d goes %s\n", id, at_once ? "at once" : waited >= (id - 5) * 10ms ? "in its turn" : "too early");
}

int main() {
  asio::io_context context{1};
  dspu::aio::rate_limiter limiter{{.rate = 100, .capacity = 5.0}};
  const auto start = std::chrono::steady_clock::now();
  for (int id = 1; id <= 8; ++id) asio::co_spawn(context, request(limiter, id, start), asio::detached);
  context.run();
}
