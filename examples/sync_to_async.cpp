// Calls blocking functions from a coroutine without blocking its event loop: sync_to_async runs them on a thread pool.
// The coroutine goes on on its own loop, results and exceptions come back, and its cancellation reaches a function that
// takes a std::stop_token.
#include "dspu/aio/run_async.hpp"
#include "dspu/aio/sync_to_async.hpp"

#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

namespace aio = dspu::aio;

// Stands for a database driver, a compressor, getaddrinfo…: anything that blocks.
int slow_square(int x) {
  if (x < 0) throw std::invalid_argument("negative");
  return x * x;
}

aio::awaitable<void> show() {
  const auto loop_thread = std::this_thread::get_id();
  std::cout << "5 squared is " << co_await aio::sync_to_async(slow_square, 5) << '\n';
  std::cout << "back on the loop's thread: " << std::boolalpha << (std::this_thread::get_id() == loop_thread) << '\n';

  const auto async_square = aio::make_async(slow_square);
  try {
    co_await async_square(-1);
  } catch (const std::invalid_argument& e) {
    std::cout << "error: " << e.what() << '\n';
  }

  // The other way round, and back: a blocking function that waits for a coroutine of its own.
  const auto cube = [](int x) { return x * aio::run_async(aio::sync_to_async(slow_square, x)); };
  std::cout << "3 cubed is " << co_await aio::sync_to_async(cube, 3) << '\n';
}

int main() { aio::run_async(show()); }
