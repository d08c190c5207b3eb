#include "dspu/aio/detail/stage.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

std::exception_ptr aborted_error() {
  return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
}

bool is_aborted(const std::exception_ptr& error) {
  return error && outcome(error).code() == asio::error::operation_aborted;
}

}  // namespace dspu::aio::detail
