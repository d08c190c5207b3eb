// The floor of `dspu fetch`: a Beast client with no policies. CONNECTIONS coroutines take the next of the URLs in FILE, all of
// one server, and print a line for each answer. Ends with status 1 if anything fails.
//
//   bare_client FILE CONNECTIONS >results
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

struct work {
  std::vector<std::string> urls;
  asio::ip::tcp::endpoint server;
  std::string host;
  std::size_t next = 0;
  std::size_t done = 0;
};

std::string path_of(const std::string& url) { return url.substr(url.find('/', url.find("//") + 2)); }

work read_urls(const char* file) {
  work w;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) w.urls.push_back(line);
  if (w.urls.empty()) throw std::runtime_error(std::string(file) + " holds no URLs");
  const auto& first = w.urls.front();
  const auto from = first.find("//") + 2;
  w.host = first.substr(from, first.find('/', from) - from);
  const auto colon = w.host.find(':');
  w.server = {asio::ip::make_address(w.host.substr(0, colon)),
              static_cast<asio::ip::port_type>(std::stoi(w.host.substr(colon + 1)))};
  return w;
}

asio::awaitable<void> take_turns(work& w) {
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  co_await stream.async_connect(w.server, asio::use_awaitable);
  beast::flat_buffer buffer;
  while (w.next < w.urls.size()) {
    const std::string& url = w.urls[w.next++];
    http::request<http::empty_body> request(http::verb::get, path_of(url), 11);
    request.set(http::field::host, w.host);
    stream.expires_after(std::chrono::seconds(30));
    co_await http::async_write(stream, request, asio::use_awaitable);
    http::response<http::string_body> response;
    co_await http::async_read(stream, buffer, response, asio::use_awaitable);
    std::printf("%u %zu %s\n", response.result_int(), response.body().size(), url.c_str());
    if (response.result_int() == 200) ++w.done;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bare_client FILE CONNECTIONS\n");
    return 2;
  }
  try {
    work w = read_urls(argv[1]);
    asio::io_context loop(1);
    const int connections = std::atoi(argv[2]);
    for (int i = 0; i < connections; ++i) {
      asio::co_spawn(loop, take_turns(w), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
      });
    }
    loop.run();
    return w.done == w.urls.size() ? 0 : 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bare_client: %s\n", e.what());
    return 1;
  }
}
