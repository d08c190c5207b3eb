// Reads an asynchronous generator from ordinary code: iter_over_async makes an input range of it, for range-for and
// std::views. Stopping midway ends the generator, and its errors come out of the loop.
#include "dspu/aio/generator.hpp"
#include "dspu/aio/iter_over_async.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <iostream>
#include <ranges>
#include <stdexcept>

namespace aio = dspu::aio;
namespace asio = boost::asio;
using namespace std::chrono_literals;

struct says_goodbye {
  ~says_goodbye() { std::cout << "generator ended\n"; }
};

// Pages of a slow service, one at a time.
aio::generator<int> pages(int count) {
  const says_goodbye at_end;
  asio::steady_timer pause(co_await asio::this_coro::executor);
  for (int page = 1; page <= count; ++page) {
    pause.expires_after(1ms);
    co_await pause.async_wait(asio::use_awaitable);
    co_yield page;
  }
  throw std::runtime_error("no page " + std::to_string(count + 1));
}

int main() {
  const auto is_even = [](int page) { return page % 2 == 0; };
  for (const int page : aio::iter_over_async(pages(1000)) | std::views::filter(is_even) | std::views::take(3)) {
    std::cout << "page " << page << '\n';
  }
  try {
    for (const int page : aio::iter_over_async(pages(2))) std::cout << "page " << page << '\n';
  } catch (const std::runtime_error& e) {
    std::cout << "error: " << e.what() << '\n';
  }
}
