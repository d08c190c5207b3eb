#include "dspu/core/bulkhead_machine.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <utility>

namespace dspu::core {

namespace {

std::int64_t checked_limit(std::int64_t limit) {
  require(limit >= 1, "bulkhead.limit", limit, "at least 1");
  return limit;
}

}  // namespace

bulkhead_machine::bulkhead_machine(const bulkhead_options& options)
    : limit_(checked_limit(options.limit)), max_queue_(options.max_queue) {
  require(max_queue_ >= 0, "bulkhead.max_queue", max_queue_, "at least 0");
}

bulkhead_entry bulkhead_machine::enter() {
  if (in_flight_ < limit_) {
    ++in_flight_;
    return bulkhead_entry::go;
  }
  if (waiting_ >= max_queue_) return bulkhead_entry::refuse;
  ++waiting_;
  return bulkhead_entry::wait;
}

std::int64_t bulkhead_machine::leave() {
  --in_flight_;
  return admit_waiters();
}

void bulkhead_machine::abandon() { --waiting_; }

std::int64_t bulkhead_machine::rejoin(std::int64_t n) {
  waiting_ += n;
  return admit_waiters();
}

std::int64_t bulkhead_machine::set_limit(std::int64_t limit) {
  limit_ = checked_limit(limit);
  return admit_waiters();
}

std::int64_t bulkhead_machine::reconfigure(const bulkhead_options& options) {
  const bulkhead_machine checked(options);
  limit_ = checked.limit_;
  max_queue_ = checked.max_queue_;
  return admit_waiters();
}

std::int64_t bulkhead_machine::release_waiters() {
  const std::int64_t going = std::exchange(waiting_, 0);
  in_flight_ += going;
  return going;
}

std::int64_t bulkhead_machine::admit_waiters() {
  const std::int64_t going = std::clamp<std::int64_t>(limit_ - in_flight_, 0, waiting_);
  waiting_ -= going;
  in_flight_ += going;
  return going;
}

}  // namespace dspu::core
