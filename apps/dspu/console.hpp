// Standard error, shared by a live line that is drawn again and again and by messages that stay.
// The only place that writes there: text from outside is escaped here.
#pragma once

#include "dspu/output_queue.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dspu::app {

// A reader that is slow or stopped (Ctrl-S) blocks nothing: messages are queued, up to a megabyte,
// and the live line is not drawn. What standard error does not take at all is lost, which is no
// reason to fail.
class console {
 public:
  // Looks at standard error and at NO_COLOR.
  console();
  // Waits until the messages are written.
  ~console();
  console(const console&) = delete;
  console& operator=(const console&) = delete;

  bool is_terminal() const { return terminal_; }
  bool has_colour() const { return colour_; }

  // Draws the line in place of the one before. The line is written as it is: it holds nothing from
  // outside. Requires: is_terminal().
  void live(const std::string& line);
  // Takes the live line away, and returns it.
  std::string clear();

  // A message of one line that stays.
  void say(std::string_view message);
  // A message of any number of lines that stays.
  void print(std::string_view lines);

  // From now on messages are also written on the loop, until finish().
  void attach(const boost::asio::any_io_executor& executor);
  void detach() { queue_.detach(); }
  // Blocks until all messages are written, or as long as `limit` says; then the rest is lost.
  void finish(const patience& limit = {});

 private:
  void keep(const std::string& text);
  void tell_of_lost();

  bool terminal_;
  bool colour_;
  output_queue queue_;
  std::string live_;
  std::uint64_t lost_ = 0;  // messages
};

}  // namespace dspu::app
