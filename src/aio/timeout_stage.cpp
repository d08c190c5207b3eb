#include "dspu/aio/detail/timeout_stage.hpp"

#include "dspu/aio/detail/thrown_as.hpp"

namespace dspu::aio::detail {

void refuse_without_time(duration limit) {
  std::rethrow_exception(error_access::make(async_timeout_error(limit), false, nullptr));
}

std::exception_ptr timeout_error(duration limit, const outcome& aborted, std::exception_ptr last) {
  const auto* const cancelled = thrown_as<cancelled_error>(aborted.exception());
  if (!last && cancelled != nullptr) last = cancelled->last_error();
  return error_access::make(async_timeout_error(limit), cancelled == nullptr || cancelled->begun(), last);
}

}  // namespace dspu::aio::detail
