// Writes one JSON object, member by member, into a string.
//
// Strings go through Boost.JSON's serializer. Numbers are written here: Boost 1.81 prints 12.345 as 1.2345E1,
// and results are read by people too.
#pragma once

#include <chrono>
#include <concepts>
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
  void key(std::string_view name);

  // Requires: UTF-8.
  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool flag);
  void value(std::unsigned_integral auto number) { integer(number); }
  void null();
  // In milliseconds, to the microsecond.
  void milliseconds(std::chrono::nanoseconds duration);
  // To three decimals.
  void decimal(double number);

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
