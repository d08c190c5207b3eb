#include "dspu/aio/detail/thread_random.hpp"

#include "dspu/core/random.hpp"

#include <random>

namespace dspu::aio::detail {

double thread_random() {
  thread_local core::random_source source = [] {
    std::random_device device;
    return core::random_source{std::uint64_t{device()} << 32 | device()};
  }();
  return source.unit();
}

}  // namespace dspu::aio::detail
