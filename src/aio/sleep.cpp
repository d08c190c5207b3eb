#include "dspu/aio/impl/sleep.ipp"

#include "dspu/aio/clocks.hpp"

#include <chrono>

namespace dspu::aio::detail {

template awaitable<void> sleep_for<std::chrono::steady_clock>(duration);
template awaitable<void> sleep_for<tsc_clock>(duration);
template awaitable<void> sleep_for<coarse_clock>(duration);

}  // namespace dspu::aio::detail
