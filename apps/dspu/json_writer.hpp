// Writes one JSON object, member by member, into a string.
//
// Not by Boost.JSON: 1.81 prints 12.345 as 1.2345E1, and results are read by people too; and a serializer for each of the
// thirty strings of a result line costs more than all the rest of the line.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dspu::app {

class json_writer {
 public:
  explicit json_writer(std::string& out) : out_(out) {}

  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  static constexpr std::size_t longest_key = 32;
  // Requires: at most so many bytes, and nothing that JSON escapes.
  void key(std::string_view name);

  // A name of any length and kind. Requires: UTF-8.
  void key_to_escape(std::string_view name);
  // A value that is JSON already.
  void text(std::string_view json);

  // Requires: UTF-8.
  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool flag);
  void value(std::unsigned_integral auto number) { integer(number); }
  void value(double number);  // finite
  void null();
  // In milliseconds, to the microsecond. What is negative counts as 0.
  void milliseconds(std::chrono::nanoseconds duration);

  template <class Value>
  void member(std::string_view name, const Value& v) {
    key(name);
    value(v);
  }

 private:
  void separate();
  void integer(std::uint64_t number);

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace dspu::app
