#include "dspu/json_writer.hpp"

#include <boost/json/serialize.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace dspu::app {

void json_writer::separate() {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
}

void json_writer::begin_object() {
  separate();
  out_ += '{';
  needs_comma_ = false;
}

void json_writer::end_object() {
  out_ += '}';
  needs_comma_ = true;
}

void json_writer::begin_array() {
  separate();
  out_ += '[';
  needs_comma_ = false;
}

void json_writer::end_array() {
  out_ += ']';
  needs_comma_ = true;
}

void json_writer::key(std::string_view name) {
  value(name);
  out_ += ':';
  needs_comma_ = false;
}

void json_writer::value(std::string_view text) {
  separate();
  out_ += boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

void json_writer::value(bool flag) {
  separate();
  out_ += flag ? "true" : "false";
}

void json_writer::null() {
  separate();
  out_ += "null";
}

void json_writer::integer(std::uint64_t number) {
  separate();
  out_ += std::to_string(number);
}

void json_writer::milliseconds(std::chrono::nanoseconds duration) {
  decimal(std::chrono::duration<double, std::milli>(duration).count());
}

void json_writer::decimal(double number) {
  separate();
  const double rounded = std::isfinite(number) ? std::round(number * 1000) / 1000 : 0;
  std::array<char, 400> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), rounded, std::chars_format::fixed);
  out_.append(text.data(), error == std::errc{} ? end : text.data());
}

}  // namespace dspu::app
