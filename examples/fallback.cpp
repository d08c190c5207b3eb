// Old news for those who cannot get the new: what is given when all attempts have failed.
#include <dspu/aio/fallback.hpp>
#include <dspu/aio/pipeline.hpp>
#include <dspu/aio/retry.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace aio = dspu::aio;
using namespace std::chrono_literals;

boost::asio::awaitable<std::string> todays_news(bool works) {
  if (!works) throw std::runtime_error("no connection");
  co_return "today's news";
}

int main() {
  dspu::testing::simulator sim;
  const aio::fallback yesterdays([](const aio::outcome&) { return std::string("yesterday's news"); });
  const aio::basic_retry<dspu::testing::manual_clock> again{{.max_attempts = 3, .base_delay = 1s, .jitter = aio::jitter::none}};
  const auto news = yesterdays | again;

  std::printf("%s\n", sim.run(news.call(todays_news, true)).c_str());
  const std::string old = sim.run(news.call(todays_news, false));
  std::printf("%s, after %lld s\n", old.c_str(), static_cast<long long>(sim.elapsed() / 1s));
}
