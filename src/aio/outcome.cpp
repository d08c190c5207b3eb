#include "dspu/aio/outcome.hpp"

#include "dspu/aio/error.hpp"

#include <boost/system/system_error.hpp>

#include <system_error>

namespace dspu::aio {

error_code outcome::code() const {
  if (!error_) return code_;
  try {
    std::rethrow_exception(error_);
  } catch (const boost::system::system_error& e) {
    return e.code();
  } catch (const std::system_error& e) {
    return e.code();
  } catch (...) {
    return {};
  }
}

std::optional<duration> retry_after_of(const outcome& o) {
  if (!o.exception()) return std::nullopt;
  try {
    std::rethrow_exception(o.exception());
  } catch (const error& e) {
    return e.retry_after();
  } catch (...) {
    return std::nullopt;
  }
}

}  // namespace dspu::aio
