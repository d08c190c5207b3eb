// Services of execution contexts that a thread which asks for the same context again finds without a lock.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/execution_context.hpp>

#include <atomic>
#include <cstdint>

namespace dspu::aio::detail {

// Counts the ends of such services, so that nobody remembers one that is gone.
inline std::atomic<std::uint64_t> remembered_services_ended{0};

class remembered_service : public asio::execution_context::service {
 public:
  remembered_service(const remembered_service&) = delete;
  remembered_service& operator=(const remembered_service&) = delete;

 protected:
  using service::service;
  // Not in shutdown(): handlers that are destroyed after it may still ask for the service.
  ~remembered_service() override { remembered_services_ended.fetch_add(1, std::memory_order_release); }
};

// `found` is called with it where it was not remembered.
template <class Service, class Found>
Service& service_of(asio::execution_context& context, Found found) {
  struct memory {
    asio::execution_context* context = nullptr;
    Service* service = nullptr;
    std::uint64_t ended = 0;
  };
  static thread_local memory last;
  const auto ended = remembered_services_ended.load(std::memory_order_acquire);
  if (last.context != &context || last.ended != ended) {
    last = {&context, &asio::use_service<Service>(context), ended};
    found(*last.service);
  }
  return *last.service;
}
template <class Service>
Service& service_of(asio::execution_context& context) {
  return service_of<Service>(context, [](Service&) {});
}

}  // namespace dspu::aio::detail
