// Standard error, shared by a live line that is drawn again and again and by messages that stay.
#pragma once

#include <cstddef>
#include <string>

namespace dspu::app {

class console {
 public:
  // Looks at standard error and at NO_COLOR.
  console();
  ~console() { clear(); }
  console(const console&) = delete;

  bool is_terminal() const { return terminal_; }
  bool has_colour() const { return colour_; }

  // Draws the line in place of the one before. Requires: is_terminal().
  void live(const std::string& line);
  // Takes the live line away.
  void clear();
  // A message of one line that stays. What standard error does not take is lost: no reason to fail.
  void say(const std::string& message) { print(message + "\n"); }
  // Whole lines that stay.
  void print(const std::string& lines);

 private:
  void put(const std::string& text) const;

  bool terminal_;
  bool colour_;
  std::string live_;
};

}  // namespace dspu::app
