// The policies on the manual clock, compiled once for all tests.
#include "dspu/aio/impl/adaptive_rate.ipp"
#include "dspu/aio/impl/deadlines.ipp"
#include "dspu/aio/impl/rate_limiter.ipp"
#include "dspu/aio/impl/sleep.ipp"
#include "dspu/testing/manual_clock.hpp"

namespace dspu::aio::detail {

template deadlines& deadlines_of<testing::manual_clock>(const asio::any_io_executor&);
template std::shared_ptr<limiter_state> make_limiter_state<testing::manual_clock>(const rate_limiter_options&);
template std::shared_ptr<adaptive_rate_state> make_adaptive_rate_state<testing::manual_clock>(adaptive_rate_options);
template awaitable<void> sleep_for<testing::manual_clock>(duration);

}  // namespace dspu::aio::detail
