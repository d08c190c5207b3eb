// The first resilient call: a service that fails twice, called through a retry.
#include <dspu/aio/retry.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [first-call]
int calls = 0;

asio::awaitable<std::string> ask_the_service(std::string question) {
  if (++calls < 3) throw std::runtime_error("service unavailable");
  co_return "the answer to " + question;
}

asio::awaitable<void> run() {
  const dspu::aio::retry again{{.max_attempts = 5, .base_delay = 10ms}};
  std::string answer = co_await again.call(ask_the_service, std::string("everything"));
  std::printf("%s, after %d calls\n", answer.c_str(), calls);
}
// [first-call]

int main() {
  asio::io_context context{1};
  asio::co_spawn(context, run(), [](std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
  });
  context.run();
}
