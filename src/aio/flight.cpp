#include "dspu/aio/detail/flight.hpp"

#include "dspu/aio/detail/lane.hpp"

#include <boost/asio/post.hpp>

namespace dspu::aio::detail {

flight_core::flight_core(const asio::any_io_executor& caller)
    : executor_(is_serial(caller) ? caller : make_lane(caller)) {}

void flight_core::cancel() {
  asio::post(executor_,
             [self = shared_from_this()] { self->signal_.emit(asio::cancellation_type::terminal); });
}

}  // namespace dspu::aio::detail
