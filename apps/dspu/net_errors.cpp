#include "dspu/net_errors.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::app {

namespace asio = boost::asio;

void fail(transport_failure kind, const std::string& who, const std::string& what) {
  throw transport_error(kind, who + ": " + what);
}

void throw_cancelled() { throw boost::system::system_error(asio::error::operation_aborted); }

void throw_if_cancelled(const asio::cancellation_state& state) {
  if (state.cancelled() != asio::cancellation_type::none) throw_cancelled();
}

std::string describe(const boost::system::error_code& error) {
  if (error == asio::error::eof) return "the connection was closed";
  return error.message();
}

}  // namespace dspu::app
