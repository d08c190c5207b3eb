// Where results go: a line each to the output, and what failed to the file that -i reads again.
#pragma once

#include "dspu/line_writer.hpp"
#include "dspu/options.hpp"
#include "dspu/record.hpp"
#include "dspu/request_source.hpp"
#include "dspu/results_file.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

class result_output {
 public:
  // Opens the files; what they hold stays until start(). Throws: usage_error, io_error.
  explicit result_output(const fetch_options& options);

  // The run begins: empties what does not go on. Throws: io_error.
  void start();

  // A cancelled request leaves no line in a file, so that --resume does it again; in a pipe, its line is all
  // there is. The line is written by flush(), if not before. Throws: io_error.
  void write(const result_record& record, const http_request& request);
  bool has_unflushed() const { return !unwritten_.empty(); }
  // Writes the lines to the file, or gives them to the queue of a pipe or terminal. Throws: io_error, also for lines
  // that were queued earlier.
  void flush();
  // In bytes; 0 for files.
  std::size_t queued() const { return results_.queued() + (failed_ ? failed_->queued() : 0); }
  // From now on the queues are written on the loop; `written` is called whenever one got shorter or failed.
  void attach(const boost::asio::any_io_executor& executor, const std::function<void()>& written);
  // The loop has nothing more to wait for. What is queued is dropped.
  void detach();
  bool is_terminal() const { return results_.is_terminal(); }
  const std::string& name() const { return results_.name(); }
  struct failed_request {
    std::string_view id;
    const http_request& request;
    std::string_view asked;
    std::string_view meta;
    std::string_view wrong_line;
  };
  // Also for a request that an earlier run finished without success.
  void write_failed(const failed_request& failed);

  // What --resume found; nothing without it.
  const finished_requests* finished() const { return finished_ ? &*finished_ : nullptr; }
  std::uint64_t torn_bytes() const { return torn_bytes_; }
  std::uint64_t damaged_lines() const { return damaged_lines_; }

 private:
  line_writer open(const fetch_options& options);

  std::optional<finished_requests> finished_;
  bool begins_anew_ = false;
  std::uint64_t torn_bytes_ = 0;
  std::uint64_t damaged_lines_ = 0;
  line_writer results_;
  bool sync_;              // --fsync
  header_list secrets_;  // which are written to no file
  std::string unwritten_;  // whole lines
  std::optional<line_writer> failed_;
};

}  // namespace dspu::app
