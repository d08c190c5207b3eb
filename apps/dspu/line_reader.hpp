// Cuts what comes from a file, a pipe or a terminal into lines, in bounded memory and without ever blocking.
#pragma once

#include "dspu/file_descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dspu::app {

class line_reader {
 public:
  enum class status {
    line,      // there is one
    too_long,  // there was one, longer than allowed; its text is lost
    pending,   // not yet: wait until the descriptor can be read
    end,
  };

  // `name` is for messages. Requires: longest_line > 0.
  line_reader(file_descriptor file, std::string name, std::size_t longest_line);

  // The next line without its line feed, valid until the next call. A last line needs no line feed.
  // Throws: io_error.
  status next(std::string_view& line);

  std::uint64_t line_number() const { return line_number_; }  // of the line returned last, from 1
  const std::string& name() const { return name_; }
  int descriptor() const { return file_.get(); }

  std::uint64_t bytes_taken() const { return bytes_read_ - (buffer_.size() - begin_); }
  std::uint64_t bytes_in_all() const { return size_; }  // 0 where the end is not known

 private:
  enum class filled { some, nothing_yet, end };

  filled fill();
  status cut(std::size_t line_feed, std::string_view& line);
  status last_line(std::string_view& line);

  file_descriptor file_;
  std::string name_;
  std::size_t longest_line_;
  bool regular_ = false;
  std::uint64_t size_ = 0;
  std::string buffer_;
  std::size_t begin_ = 0;     // of the line being read
  std::size_t searched_ = 0;  // no line feed in front of here
  bool discarding_ = false;   // the line being read is too long
  bool at_end_ = false;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t line_number_ = 0;
};

}  // namespace dspu::app
