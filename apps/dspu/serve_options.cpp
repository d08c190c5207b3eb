#include "dspu/serve_options.hpp"

#include <boost/asio/ip/address.hpp>

#include <cmath>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace dspu::app {

namespace {

using std::chrono::nanoseconds;

[[noreturn]] void reject(const std::string& option, const std::string& value, const std::string& range) {
  throw std::invalid_argument(option + " is " + value + "; " + range);
}

std::string text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

void check_address(const serve_options& options) {
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(options.address, ec);
  if (ec)
    reject("address", "\"" + options.address + "\"", "it must be an IP address such as 127.0.0.1 or ::1");
  if (!address.is_loopback() && !options.allow_any_address)
    reject("address", options.address,
           "only loopback addresses are bound unless any address is explicitly allowed");
}

void check_rates(const serve_options& options) {
  const std::pair<const char*, double> rates[] = {
      {"failure rate", options.failure_rate},   {"reset rate", options.reset_rate},
      {"truncate rate", options.truncate_rate}, {"slow rate", options.slow_rate},
      {"silent rate", options.silent_rate},     {"wrong-length rate", options.wrong_length_rate},
      {"endless rate", options.endless_rate},
  };
  double sum = 0;
  for (const auto& [name, rate] : rates) {
    if (!(rate >= 0 && rate <= 1)) reject(name, text(rate), "it must be from 0 to 1");
    sum += rate;
  }
  if (sum > 1 + 1e-9) reject("the sum of all rates of trouble", text(sum), "it must be at most 1");
}

void check_limit(const request_limit& limit) {
  if (!(limit.amount > 0) || !std::isfinite(limit.amount))
    reject("limit", text(limit.amount), "it must be more than 0");
  if (limit.per <= nanoseconds::zero())
    reject("limit's period", std::to_string(limit.per.count()) + " ns", "it must be more than 0");
  if (limit.burst != 0 && !(limit.burst >= 1))
    reject("limit's burst", text(limit.burst), "it must be at least 1");
}

}  // namespace

void check(const serve_options& options) {
  check_address(options);
  check_rates(options);
  if (options.failure_statuses.empty()) reject("failure statuses", "empty", "at least one is needed");
  for (const unsigned status : options.failure_statuses)
    if (status < 400 || status > 599)
      reject("failure status", std::to_string(status), "it must be from 400 to 599");
  if (options.slow_duration < nanoseconds::zero())
    reject("slow duration", std::to_string(options.slow_duration.count()) + " ns", "it must not be negative");
  if (options.latency.p50 < nanoseconds::zero())
    reject("latency", std::to_string(options.latency.p50.count()) + " ns", "it must not be negative");
  for (const auto& outage : options.outages)
    if (outage.from < nanoseconds::zero() || outage.to <= outage.from)
      reject("outage",
             std::to_string(outage.from.count()) + " ns to " + std::to_string(outage.to.count()) + " ns",
             "it must begin at 0 or later, and end after it begins");
  if (options.limit) check_limit(*options.limit);
  if (options.limit_status < 400 || options.limit_status > 599)
    reject("limit's status", std::to_string(options.limit_status), "it must be from 400 to 599");
  if (options.certificate.empty() != options.private_key.empty())
    reject("certificate or private key", "empty", "TLS needs both");
}

}  // namespace dspu::app
