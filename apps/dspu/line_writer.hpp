// Writes whole lines to a file or a pipe, and says so when it cannot.
#pragma once

#include "dspu/file_descriptor.hpp"
#include "dspu/output_queue.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace dspu::app {

// Pipes and devices have nothing to empty. `name` is for messages. Throws: io_error.
void empty_if_regular(int descriptor, const std::string& name);

// Whom the mode of a file lets in.
enum class file_access {
  as_usual,    // as the process's umask says; of a file that exists, as before
  owner_only,  // nobody else may read or write it: it may hold credentials
};

class line_writer {
 public:
  // `name` is for messages. Requires: SIGPIPE is ignored, or a reader that goes away ends the
  // process.
  line_writer(file_descriptor file, std::string name);

  // Standard output.
  static line_writer standard_output();
  // The file, made if absent; every write goes to its end. What it holds stays until empty(). A
  // FIFO blocks until it has a reader. Throws: io_error.
  static line_writer append_to(const std::string& path,
                               file_access who = file_access::as_usual);

  // Empties a regular file; anything else is left as it is. Throws: io_error.
  void empty();

  // Writes `lines`. In a regular file they are written when this returns, in one piece as a rule;
  // if that fails midway, what was written of them is taken back, so that no torn line stays. A
  // pipe, a FIFO, a terminal or a socket takes what it can without blocking, and the rest is
  // queued. Throws: io_error, also for lines written earlier.
  void write(std::string_view lines);

  // Returns once what was written is on the disk; at once if it is no regular file. Throws: io_error.
  void sync();

  // In bytes; 0 for a regular file.
  std::size_t queued() const { return queue_ ? queue_->size() : 0; }
  // From now on queued lines are written on the loop; `written` is called whenever that has got on
  // or failed, which the next write() throws.
  void attach(const boost::asio::any_io_executor& executor, std::function<void()> written);
  void detach();
  // Blocks until everything is written, or as long as `limit` says: then the rest is dropped.
  // Throws: io_error, not for what was dropped.
  void finish(const patience& limit = {});

  bool regular() const { return regular_; }
  bool is_terminal() const;
  const std::string& name() const { return name_; }

 private:
  void check(int error_number);

  file_descriptor file_;  // of a regular file; otherwise the queue has it
  std::string name_;
  bool regular_ = false;
  std::unique_ptr<output_queue> queue_;
  int error_ = 0;  // that has not been thrown yet
};

}  // namespace dspu::app
