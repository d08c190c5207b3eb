// Ten downloads, three at a time, results in input order; then one that fails, with and without its error thrown.
#include <dspu/aio/gather.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdio>
#include <ranges>
#include <stdexcept>

namespace asio = boost::asio;
using namespace dspu::aio;
using namespace std::chrono_literals;

int running = 0;
int most = 0;

asio::awaitable<int> download(int page) {
  most = std::max(most, ++running);
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms * (10 - page));
  co_await timer.async_wait(asio::use_awaitable);
  --running;
  if (page == 13) throw std::runtime_error("no page 13");
  co_return page * page;
}

asio::awaitable<void> run() {
  const std::vector<int> sizes = co_await map_with_limit(std::views::iota(0, 10), download, {.limit = 3});
  for (const int size : sizes) std::printf("%d ", size);
  std::printf("\nnever more than %d at once\n", most);

  try {
    co_await gather_with_limit({.limit = 2}, download(1), download(13));
  } catch (const std::exception& e) {
    std::printf("first error: %s\n", e.what());
  }

  auto [one, thirteen] = co_await gather_with_limit({.limit = 2}, return_exceptions, download(1), download(13));
  std::printf("page 1: %d, page 13: %s\n", one.value(), thirteen.has_value() ? "there" : "missing");
}

int main() {
  asio::io_context context{1};
  asio::co_spawn(context, run(), asio::detached);
  context.run();
}
