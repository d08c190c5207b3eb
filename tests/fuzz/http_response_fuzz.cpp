// What a server may send: one response, read by the real connection over a socket pair, in one piece and in
// many.
//
// Input: a byte of choices (HEAD, inflation, limit), a byte for the size of the pieces, then what the server
// sends before it closes.
#include "dspu/connection.hpp"
#include "dspu/record.hpp"
#include "dspu/redirect.hpp"
#include "dspu/request_url.hpp"
#include "dspu/retry_after.hpp"
#include "fuzz/claim.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace {

using namespace dspu::app;
using dspu::fuzz::chooser;
using dspu::fuzz::claim;
namespace asio = boost::asio;

constexpr std::size_t largest_input = 15 * 1024;  // one read of the connection takes it
constexpr std::size_t most_pieces = 24;           // each costs time, and room in the socket's buffer

struct choices {
  bool head = false;
  bool inflate = false;
  std::uint64_t max_body = 0;
  std::size_t piece = 0;  // 0: all at once
};

choices read_choices(chooser& input) {
  constexpr std::array<std::uint64_t, 4> limits{1024 * 1024, 0, 16, 4096};
  const unsigned bits = input.byte();
  choices made;
  made.head = (bits & 1) != 0;
  made.inflate = (bits & 2) != 0;
  made.max_body = limits[bits >> 2 & 3];
  made.piece = input.byte();
  return made;
}

class counting_sink final : public body_sink {
 public:
  void begin(const http_response& head) override {
    ++begun;
    status = head.status;
  }
  void write(std::span<const char> bytes) override {
    claim(begun > 0, "a body comes after its head");
    body.append(bytes.data(), bytes.size());
  }

  int begun = 0;
  unsigned status = 0;
  std::string body;
};

struct result {
  std::optional<http_response> response;
  std::optional<transport_failure> failure;
  std::string error;
  bool reusable = false;
  counting_sink sink;
};

void send(int fd, std::string_view bytes, std::size_t piece) {
  while (!bytes.empty()) {
    const std::string_view next = bytes.substr(0, piece);
    const auto sent = ::send(fd, next.data(), next.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    claim(sent == static_cast<ssize_t>(next.size()), "the harness's socket takes all");
    bytes.remove_prefix(next.size());
  }
}

// The server's end of a socket pair, with all that it sends on its way already. The kind SOCK_SEQPACKET hands
// over each piece by itself: the connection sees the cuts that the input chose.
class far_end {
 public:
  far_end(connection& peer, std::string_view bytes, std::size_t piece) {
    std::array<int, 2> ends{};
    const int type = piece == 0 ? SOCK_STREAM : SOCK_SEQPACKET;
    claim(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) == 0, "the harness has a socket pair");
    fd_ = ends[1];
    send(fd_, bytes, piece == 0 ? largest_input : piece);
    ::shutdown(fd_, SHUT_WR);
    peer.stream().socket().assign(asio::ip::tcp::v4(), ends[0]);
    peer.stream().tune();
  }
  far_end(const far_end&) = delete;
  ~far_end() { ::close(fd_); }

 private:
  int fd_ = -1;
};

result receive(std::string_view bytes, const choices& how) {
  static asio::io_context loop(1);
  result got;
  connection peer(loop.get_executor(), "peer");
  const far_end server(peer, bytes, how.piece);
  outgoing_request request;
  request.head = "GET / HTTP/1.1\r\nHost: peer\r\n\r\n";
  request.answer_has_body = !how.head;
  request.inflate = how.inflate;
  request.idempotent = true;
  bool done = false;
  asio::co_spawn(loop, peer.exchange(request, got.sink, {.max_body = how.max_body}),
                 [&](std::exception_ptr error, http_response response) {
                   done = true;
                   if (!error) {
                     got.response = std::move(response);
                     return;
                   }
                   try {
                     std::rethrow_exception(error);
                   } catch (const transport_error& failure) {
                     got.failure = failure.kind();
                     got.error = failure.what();
                   }
                 });
  loop.restart();
  loop.run_for(std::chrono::seconds(5));
  claim(done, "an exchange ends when the server has closed");
  got.reusable = peer.reusable();
  return got;
}

std::optional<std::uint64_t> announced(const header_list& headers) {
  const auto count = std::ranges::count_if(
      headers, [](const auto& h) { return boost::beast::iequals(h.first, "Content-Length"); });
  const std::string_view text = find_header(headers, "Content-Length");
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (count != 1 || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// What Boost.Beast's parser reads, which is stricter.
struct other_reading {
  unsigned status = 0;
  std::string body;
};

std::optional<other_reading> read_by_beast(std::string_view bytes, bool head) {
  namespace http = boost::beast::http;
  while (true) {
    http::response_parser<http::string_body> parser;
    parser.skip(head);
    parser.eager(true);
    parser.body_limit(boost::none);
    boost::beast::error_code error;
    while (!parser.is_done() && !bytes.empty() && !error) bytes.remove_prefix(parser.put(asio::buffer(bytes), error));
    if (!parser.is_done() && parser.is_header_done() && parser.need_eof() && (!error || error == http::error::need_more)) {
      error = {};
      parser.put_eof(error);
    }
    if (error || !parser.is_done()) return std::nullopt;
    const unsigned status = parser.get().result_int();
    if (status >= 200 || status == 101) return other_reading{status, parser.get().body()};
  }
}

// Beast knows no limit of interim responses, and takes codings for none.
void check_against_beast(std::string_view bytes, const result& got, const choices& how) {
  if (how.inflate || how.max_body < largest_input) return;
  const auto theirs = read_by_beast(bytes, how.head);
  if (!theirs || theirs->status < 100 || theirs->status == 101) return;
  if (!got.response) {
    const bool known = got.error.find("Transfer-Encoding") != std::string::npos;
    claim(known, "what Beast reads is read", got.error);
    return;
  }
  claim(got.response->status == theirs->status, "Beast reads the same status");
  claim(got.sink.body == theirs->body, "Beast reads the same body", got.sink.body + " | " + theirs->body);
}

void check_redirect(const http_response& response) {
  const std::string_view location = find_header(response.headers, "Location");
  if (!is_redirect(response.status) || location.empty()) return;
  http_request request;
  request.url = "https://example.com/a/b?c";
  request.headers = {{"Authorization", "secret"}, {"X-Key", "secret"}};
  const std::vector<std::string> origin_only{"x-key"};
  try {
    const http_request next = redirected(request, response.status, location, origin_only);
    const parsed_url url = parse_url(next.url);
    const bool same = url.server == parse_url(request.url).server;
    const bool has_secret =
        std::ranges::any_of(next.headers, [](const auto& h) { return h.second == "secret"; });
    claim(same || !has_secret, "credentials stay within their origin", next.url);
    claim(!url.userinfo.has_value(), "credentials are in no URL", next.url);
  } catch (const std::invalid_argument&) {
  }
}

void check_response(const result& got, const choices& how) {
  const http_response& response = *got.response;
  claim(got.sink.begun == 1, "a response begins once");
  claim(response.status == 101 || response.status >= 200, "an interim response is not the answer",
        std::to_string(response.status));
  claim(response.body_bytes == got.sink.body.size(), "the bytes are counted");
  claim(response.body_bytes <= how.max_body, "the limit is kept");
  const bool no_body = how.head || response.status == 204 || response.status == 304;
  claim(!no_body || response.body_bytes == 0, "there is no body where there can be none");
  const auto length = announced(response.headers);
  const bool plain = find_header(response.headers, "Transfer-Encoding").empty() && !no_body &&
                     response.status >= 200 &&
                     (!how.inflate || find_header(response.headers, "Content-Encoding").empty());
  claim(!plain || !length || response.body_bytes == *length, "a body is as long as it was announced",
        std::to_string(response.body_bytes));
  for (const auto& [name, value] : response.headers)
    claim((name + value).find_first_of("\r\n") == std::string::npos, "a header is one line", name);
  const auto wait =
      retry_after(response.headers, std::chrono::system_clock::time_point(std::chrono::hours(500'000)));
  claim(!wait || *wait >= std::chrono::seconds::zero(), "a wait is not negative");
  check_redirect(response);
}

void check_result_line(const result& got) {
  result_record record;
  record.error = got.error;
  record.body = got.sink.body;
  record.status = got.sink.status;
  const std::string line = to_json_line(record);
  boost::system::error_code error;
  boost::json::parse(line, error);
  claim(!error && line.find('\n') == line.size() - 1, "a result is one line of JSON", line);
}

void check_same(const result& whole, const result& pieces) {
  const std::string errors = whole.error + " | " + pieces.error;
  claim(whole.failure.has_value() == pieces.failure.has_value(), "the cuts decide on no failure", errors);
  // A header that is seen as a whole may be called malformed before it is missed that it has no end.
  const bool malformed =
      whole.failure == transport_failure::protocol || pieces.failure == transport_failure::protocol;
  claim(malformed || whole.failure == pieces.failure, "the cuts change no failure", errors);
  if (!whole.response) return;
  claim(whole.response->status == pieces.response->status, "the cuts change no status");
  claim(whole.response->headers == pieces.response->headers, "the cuts change no header");
  claim(whole.sink.body == pieces.sink.body, "the cuts change no body");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chooser input(std::string_view(reinterpret_cast<const char*>(data), size));
  choices how = read_choices(input);
  const std::string_view bytes = input.rest().substr(0, largest_input);
  const std::size_t piece = std::max(how.piece, bytes.size() / most_pieces + 1);
  how.piece = 0;
  const result whole = receive(bytes, how);
  if (whole.response) check_response(whole, how);
  check_result_line(whole);
  check_against_beast(bytes, whole, how);
  how.piece = piece;
  check_same(whole, receive(bytes, how));
  return 0;
}
