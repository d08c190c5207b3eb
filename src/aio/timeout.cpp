#include "dspu/aio/timeout.hpp"

#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

bool is_aborted(const std::exception_ptr& error) {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace dspu::aio::detail
