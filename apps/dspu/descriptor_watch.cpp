#include "dspu/descriptor_watch.hpp"

#include "dspu/failure.hpp"
#include "dspu/file_descriptor.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <sys/epoll.h>

#include <cerrno>
#include <utility>

namespace dspu::app {

namespace asio = boost::asio;

namespace {

int set_with(int fd, std::uint32_t events) {
  file_descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event wanted{};
  wanted.events = events;
  if (!set || ::epoll_ctl(set.get(), EPOLL_CTL_ADD, fd, &wanted) != 0) {
    throw io_failure("cannot wait for descriptor " + std::to_string(fd), errno);
  }
  return set.release();
}

}  // namespace

descriptor_watch::descriptor_watch(const asio::any_io_executor& executor, int fd, readiness wanted)
    : set_(executor, set_with(fd, wanted == readiness::readable ? EPOLLIN : EPOLLOUT)) {}

asio::awaitable<void> descriptor_watch::wait() {
  co_await set_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
}

void descriptor_watch::when_ready(std::function<void()> ready) {
  cancel();
  ready_ = std::make_shared<std::function<void()>>(std::move(ready));
  // The handler may be queued already when it is cancelled, so that it asks whether it is still
  // wanted.
  auto handler = [wanted = std::weak_ptr(ready_)](const boost::system::error_code& error) {
    const auto call = wanted.lock();
    if (!error && call) (*call)();
  };
  set_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(handler));
}

void descriptor_watch::cancel() {
  ready_.reset();
  boost::system::error_code ignored;
  set_.cancel(ignored);
}

}  // namespace dspu::app
