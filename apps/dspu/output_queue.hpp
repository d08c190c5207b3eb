// Text on its way to a descriptor whose reader may be slow: a pipe, a FIFO, a terminal, a socket.
//
// What the descriptor does not take at once is queued, so that no write blocks the event loop, its
// timers and the handling of signals. The descriptor's flags stay as they are, since other
// processes share the open file.
#pragma once

#include "dspu/descriptor_watch.hpp"
#include "dspu/file_descriptor.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

// How long somebody blocks who waits outside the event loop.
struct patience {
  int interrupt = -1;  // not beyond the time at which this descriptor can be read
  std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max();
};

// Thread-safety: none; once attached it lives on the loop's one thread.
class output_queue {
 public:
  // Requires: SIGPIPE is ignored, or a reader that goes away ends the process.
  explicit output_queue(file_descriptor file);

  // Writes what is queued and then `text`, as far as the descriptor takes it without blocking; the
  // rest is queued. Whole lines of up to 4 KiB are never split between two writes. Returns an error
  // number, or 0; after an error the queue is empty.
  int write(std::string_view text);
  // In bytes.
  std::size_t size() const { return queued_.size() - begun_; }
  int descriptor() const { return file_.get(); }

  // From now on the queue is also written on the loop, whenever the descriptor takes more.
  // `written` is called after each such write with an error number or 0.
  void attach(const boost::asio::any_io_executor& executor, std::function<void(int error)> written);
  // The loop has nothing more to wait for.
  void detach() { watch_.reset(); }

  // Blocks until the queue is written, or until `limit` says so: then what is left is dropped.
  // Returns an error number, or 0; EINTR if there was something to drop.
  int finish(const patience& limit = {});

 private:
  int push();
  void wait_for_room();
  void clear();

  file_descriptor file_;
  bool may_block_;
  std::string queued_;
  std::size_t begun_ = 0;  // of `queued_`, what has been written
  boost::asio::any_io_executor executor_;
  std::function<void(int)> written_;
  std::optional<descriptor_watch> watch_;
};

}  // namespace dspu::app
