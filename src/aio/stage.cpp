#include "dspu/aio/detail/stage.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

std::exception_ptr aborted_error() {
  return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
}

void run::tell_observer(event_kind kind, std::string_view policy, std::string_view reason, std::string_view state,
                        std::span<const fact> facts, const std::exception_ptr& error) const {
  const auto* record = context.record;
  context.observer->on_event({.kind = kind,
                              .pipeline = record != nullptr ? record->pipeline : std::string_view{},
                              .policy = policy,
                              .reason = reason,
                              .state = state,
                              .at = context.clock(),
                              .call = record != nullptr ? record->number : 0,
                              .attempt = context.attempt,
                              .facts = facts,
                              .error = error});
}

}  // namespace dspu::aio::detail
