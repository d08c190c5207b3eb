#include "dspu/serve_answer.hpp"

#include "dspu/gzip.hpp"
#include "dspu/parse.hpp"

#include <boost/beast/http/status.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <stdexcept>

namespace dspu::app {

namespace {

constexpr std::uint64_t max_filler = std::uint64_t{1} << 40;
constexpr std::uint64_t max_inflated = std::uint64_t{1} << 28;
constexpr std::size_t worth_compressing = 256;

serve_answer bad_path(const std::string& why) {
  serve_answer answer;
  answer.status = 400;
  answer.body = why + "\n";
  return answer;
}

// The number at the end of "/bytes/N". Throws: std::invalid_argument saying what is accepted.
std::uint64_t number(std::string_view path, std::string_view text, std::uint64_t lowest,
                     std::uint64_t highest) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size() || n < lowest || n > highest)
    throw std::invalid_argument(std::string(path) + "N: N is \"" + std::string(text) +
                                "\"; it must be from " + std::to_string(lowest) + " to " +
                                std::to_string(highest));
  return n;
}

serve_answer redirect(std::uint64_t n) {
  if (n == 0) return plain_answer(200);
  serve_answer answer = plain_answer(302);
  answer.headers.append("Location: /redirect/").append(std::to_string(n - 1)).append("\r\n");
  return answer;
}

serve_answer compressed(std::uint64_t n) {
  serve_answer answer;
  answer.headers = "Content-Encoding: gzip\r\n";
  answer.body = gzip_of_filler(n);
  return answer;
}

serve_answer echo(const incoming_request& request) {
  boost::json::array headers;
  for (const auto& [name, value] : request.headers) headers.push_back(boost::json::array{name, value});
  serve_answer answer;
  answer.headers = "Content-Type: application/json\r\n";
  answer.body = boost::json::serialize(boost::json::object{{"method", request.method},
                                                           {"target", request.target},
                                                           {"headers", headers},
                                                           {"body", request.body}}) +
                "\n";
  return answer;
}

serve_answer anything(std::string_view path, const serve_options& options) {
  serve_answer answer;
  answer.headers = "Content-Type: text/plain\r\n";
  if (options.body_size == 0)
    answer.body.append("you asked for ").append(path).append("\n");
  else
    answer.filler = options.body_size;
  return answer;
}

serve_answer by_path(const incoming_request& request, const serve_options& options) {
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  const auto rest_after = [&](std::string_view prefix) { return path.substr(prefix.size()); };
  if (path.starts_with("/status/"))
    return plain_answer(static_cast<unsigned>(number("/status/", rest_after("/status/"), 200, 599)));
  if (path.starts_with("/redirect/"))
    return redirect(number("/redirect/", rest_after("/redirect/"), 0, 1'000'000));
  if (path.starts_with("/gzip/")) return compressed(number("/gzip/", rest_after("/gzip/"), 0, max_inflated));
  if (path == "/echo") return echo(request);
  serve_answer answer = anything(path, options);
  if (path.starts_with("/bytes/")) {
    answer.filler = number("/bytes/", rest_after("/bytes/"), 0, max_filler);
    answer.body.clear();
  }
  if (path.starts_with("/delay/")) answer.delay = parse_duration(rest_after("/delay/"));
  return answer;
}

bool accepts_gzip(const incoming_request& request) {
  return find_header(request.headers, "Accept-Encoding").find("gzip") != std::string_view::npos;
}

}  // namespace

serve_answer answer_to(const incoming_request& request, const serve_options& options) {
  serve_answer answer;
  try {
    answer = by_path(request, options);
  } catch (const std::invalid_argument& error) {
    return bad_path(error.what());
  }
  const bool plain = answer.headers.find("Content-Encoding") == std::string::npos;
  if (options.gzip && plain && answer.body.size() >= worth_compressing && accepts_gzip(request)) {
    answer.body = gzip(answer.body);
    answer.headers += "Content-Encoding: gzip\r\n";
  }
  return answer;
}

serve_answer plain_answer(unsigned status) {
  serve_answer answer;
  answer.status = status;
  answer.headers = "Content-Type: text/plain\r\n";
  if (answer.has_body())
    answer.body.append(std::to_string(status)).append(" ").append(reason_phrase(status)) += '\n';
  return answer;
}

std::string_view reason_phrase(unsigned status) {
  const auto phrase = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {phrase.data(), phrase.size()};
}

std::string http_date(std::chrono::system_clock::time_point t) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(t);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[sizeof "Sun, 06 Nov 1994 08:49:37 GMT"];
  // The program never calls setlocale(), so the names are English ones.
  const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, length};
}

}  // namespace dspu::app
