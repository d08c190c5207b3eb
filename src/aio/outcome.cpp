#include "dspu/aio/outcome.hpp"

#include "dspu/aio/error.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/system/system_error.hpp>

#include <system_error>

namespace dspu::aio {

namespace {

using detail::thrown_as;

error_code code_of(const std::exception_ptr& error) {
  if (const auto* e = thrown_as<boost::system::system_error>(error)) return e->code();
  if (const auto* e = thrown_as<std::system_error>(error)) return e->code();
  return {};
}

}  // namespace

std::exception_ptr outcome::error() const {
  if (error_) return error_;
  if (held_) return held_;
  return code_ ? std::make_exception_ptr(boost::system::system_error(code_)) : nullptr;
}

error_code outcome::code() const {
  if (error_) return code_of(error_);
  return held_ ? code_of(held_) : code_;
}

bool outcome::refused() const {
  const auto& what = error_ ? error_ : held_;
  if (const auto* const e = thrown_as<aio::error>(what)) return !e->begun();
  const auto* const e = thrown_as<cancelled_error>(what);
  return e != nullptr && !e->begun();
}

bool outcome::aborted() const {
  const auto c = code();
  return c == boost::system::errc::operation_canceled || c == asio::experimental::error::channel_cancelled;
}

std::optional<duration> retry_after_of(const outcome& o) {
  const auto* const e = thrown_as<error>(o.exception());
  return e == nullptr ? std::nullopt : e->retry_after();
}

}  // namespace dspu::aio
