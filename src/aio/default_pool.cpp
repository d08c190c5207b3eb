#include "dspu/aio/default_pool.hpp"

#include <algorithm>
#include <thread>

namespace dspu::aio {

std::size_t default_pool_size() {
  return std::min<std::size_t>(32, std::thread::hardware_concurrency() + std::size_t{4});
}

boost::asio::thread_pool& default_pool() {
  static boost::asio::thread_pool pool(default_pool_size());
  return pool;
}

}  // namespace dspu::aio
