// Waits on the event loop until a descriptor can be read or written, without changing the
// descriptor.
//
// Asio makes every descriptor that it waits for non-blocking. That flag belongs to the open file,
// which other processes share: a shell would find its terminal non-blocking, and `cat` in the same
// pipe would fail with EAGAIN.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>

namespace dspu::app {

// Thread-safety: none; lives on the executor's one thread.
class descriptor_watch {
 public:
  enum class readiness { readable, writable };

  // Requires: `fd` stays open while the watch lives, and can be polled (a regular file cannot).
  // Throws: io_error.
  descriptor_watch(const boost::asio::any_io_executor& executor, int fd, readiness wanted);
  ~descriptor_watch() { cancel(); }
  descriptor_watch(const descriptor_watch&) = delete;
  descriptor_watch& operator=(const descriptor_watch&) = delete;

  // Suspends: until `fd` is ready, or an operation on it would fail at once.
  // On cancel: boost::system::system_error(operation_aborted), at once.
  boost::asio::awaitable<void> wait();

  // Calls `ready` on the loop when `fd` is ready; replaces an earlier call. Not called after
  // cancel().
  void when_ready(std::function<void()> ready);
  void cancel();

 private:
  boost::asio::posix::stream_descriptor
      set_;  // an epoll set that holds `fd`: readable when `fd` is ready
  std::shared_ptr<std::function<void()>> ready_;
};

}  // namespace dspu::app
