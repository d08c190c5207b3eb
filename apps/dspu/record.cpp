#include "dspu/record.hpp"

#include "dspu/base64.hpp"
#include "dspu/json_writer.hpp"
#include "dspu/utf8.hpp"

#include <array>

namespace dspu::app {

namespace {

void write_attempt(json_writer& json, const attempt_record& attempt) {
  json.begin_object();
  json.key("start_ms");
  json.milliseconds(attempt.start);
  if (attempt.status != 0) json.member("status", attempt.status);
  if (!attempt.error.empty()) json.member("error", to_utf8(attempt.error));
  json.key("duration_ms");
  json.milliseconds(attempt.duration);
  json.key("wait_ms");
  json.milliseconds(attempt.wait);
  if (attempt.why != wait_reason::none) json.member("why", to_string(attempt.why));
  if (attempt.hedges != 0) json.member("hedges", attempt.hedges);
  if (attempt.hedge_won) json.member("hedge_won", true);
  json.end_object();
}

void write_attempts(json_writer& json, const std::vector<attempt_record>& attempts) {
  json.key("attempts");
  json.begin_array();
  for (const attempt_record& attempt : attempts) write_attempt(json, attempt);
  json.end_array();
}

void write_times(json_writer& json, const result_record& record) {
  json.key("total_ms");
  json.milliseconds(record.total);
  json.key("queued_ms");
  json.milliseconds(record.queued);
  json.key("limiter_wait_ms");
  json.milliseconds(record.limiter_wait);
}

// "2026-01-31T12:00:00.250Z"
void write_timestamp(json_writer& json, std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<milliseconds>(time) - day);
  std::array text = std::to_array("0000-00-00T00:00:00.000Z");
  const auto put = [&text](std::size_t last, unsigned number) {
    for (; number > 0; number /= 10) text[last--] = static_cast<char>('0' + number % 10);
  };
  put(3, static_cast<unsigned>(static_cast<int>(date.year())));
  put(6, static_cast<unsigned>(date.month()));
  put(9, static_cast<unsigned>(date.day()));
  put(12, static_cast<unsigned>(clock.hours().count()));
  put(15, static_cast<unsigned>(clock.minutes().count()));
  put(18, static_cast<unsigned>(clock.seconds().count()));
  put(22, static_cast<unsigned>(clock.subseconds().count()));
  json.member("ts", std::string_view(text.data(), text.size() - 1));
}

void write_body(json_writer& json, const result_record& record) {
  if (!record.content_encoding.empty()) json.member("content_encoding", to_utf8(record.content_encoding));
  if (!record.file.empty()) json.member("file", to_utf8(record.file));
  if (record.body_omitted) json.member("body_omitted", true);
  if (!record.body) return;
  if (is_utf8(*record.body)) {
    json.member("body", *record.body);
  } else {
    json.member("body_b64", base64_encode(*record.body));
  }
}

// A list only where the answer had the header more than once.
void write_headers(json_writer& json, const std::vector<recorded_header>& headers) {
  json.key("headers");
  json.begin_object();
  for (const recorded_header& header : headers) {
    json.key_to_escape(to_utf8(header.name));
    const bool several = header.values.size() > 1;
    if (several) json.begin_array();
    for (const std::string& value : header.values) json.value(to_utf8(value));
    if (several) json.end_array();
  }
  json.end_object();
}

}  // namespace

bool is_timeout(outcome value) {
  return value == outcome::timeout || value == outcome::connect_timeout ||
         value == outcome::first_byte_timeout || value == outcome::stalled;
}

std::string_view to_string(outcome value) {
  switch (value) {
    case outcome::ok:
      return "ok";
    case outcome::http_error:
      return "http_error";
    case outcome::timeout:
      return "timeout";
    case outcome::connect_timeout:
      return "connect_timeout";
    case outcome::first_byte_timeout:
      return "first_byte_timeout";
    case outcome::stalled:
      return "stalled";
    case outcome::connect:
      return "connect";
    case outcome::proxy:
      return "proxy";
    case outcome::reset:
      return "reset";
    case outcome::protocol:
      return "protocol";
    case outcome::body_too_large:
      return "body_too_large";
    case outcome::tls:
      return "tls";
    case outcome::dns:
      return "dns";
    case outcome::circuit_open:
      return "circuit_open";
    case outcome::retry_after_too_long:
      return "retry_after_too_long";
    case outcome::deadline:
      return "deadline";
    case outcome::cancelled:
      return "cancelled";
    case outcome::invalid_input:
      return "invalid_input";
  }
  return "unknown";
}

std::string_view to_string(wait_reason value) {
  switch (value) {
    case wait_reason::none:
      return "none";
    case wait_reason::concurrency:
      return "concurrency";
    case wait_reason::rate_limit:
      return "rate_limit";
    case wait_reason::backoff:
      return "backoff";
    case wait_reason::retry_after:
      return "retry_after";
    case wait_reason::circuit_open:
      return "circuit_open";
    case wait_reason::pace:
      return "pace";
  }
  return "unknown";
}

void append_json_line(std::string& out, const result_record& record) {
  json_writer json(out);
  json.begin_object();
  json.member("v", 1u);
  json.member("id", record.id);
  json.member("n", record.n);
  json.member("url", record.url);
  json.member("method", record.method);
  json.member("ok", record.ok());
  json.member("outcome", to_string(record.outcome));
  json.key("status");
  record.status != 0 ? json.value(record.status) : json.null();
  json.member("final_url", record.final_url);
  write_attempts(json, record.attempts);
  json.member("bytes", record.bytes);
  write_times(json, record);
  json.member("host", record.host);
  write_timestamp(json, record.finished_at);
  if (!record.headers.empty()) write_headers(json, record.headers);
  write_body(json, record);
  if (!record.meta.empty()) {
    json.key("meta");
    json.text(record.meta);
  }
  if (record.retry_refused) json.member("retry_refused", "budget");
  if (!record.error.empty()) json.member("error", to_utf8(record.error));
  json.end_object();
  out += '\n';
}

std::string to_json_line(const result_record& record) {
  std::string line;
  append_json_line(line, record);
  return line;
}

}  // namespace dspu::app
