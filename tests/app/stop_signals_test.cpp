#include "dspu/stop_signals.hpp"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <optional>
#include <vector>

namespace {

using namespace dspu::app;

TEST(StopSignals, TellsTheLoopOfEachInTurn) {
  boost::asio::io_context loop;
  std::vector<int> seen;
  std::optional<stop_signals> signals;
  signals.emplace(loop.get_executor(), [&](int number) {
    seen.push_back(number);
    if (seen.size() == 2) signals->close();
  });
  std::raise(SIGINT);
  std::raise(SIGTERM);
  loop.run();
  EXPECT_EQ(seen, (std::vector{SIGINT, SIGTERM}));
}

// Two signals close together: the handler of the second was queued when the first ended the run,
// and waited for a third.
TEST(StopSignals, LetsTheLoopEndThoughASignalIsOnItsWay) {
  boost::asio::io_context loop;
  int told = 0;
  std::optional<stop_signals> signals;
  signals.emplace(loop.get_executor(), [&](int) {
    ++told;
    boost::asio::post(loop,
                      [&] { signals->close(); });  // runs in front of the handler of the second
  });
  std::raise(SIGTERM);
  std::raise(SIGTERM);
  loop.run();
  EXPECT_EQ(told, 1);
}

TEST(StopSignals, ShowsSignalsThatNobodyWasToldOf) {
  boost::asio::io_context loop;
  stop_signals signals(loop.get_executor(), [](int) {});
  signals.close();
  const auto readable = [&] {
    pollfd query{signals.descriptor(), POLLIN, 0};
    return ::poll(&query, 1, 0) == 1;
  };
  EXPECT_FALSE(readable());
  std::raise(SIGINT);
  EXPECT_TRUE(readable());
}

// How a process ends that runs `body`.
int status_of(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(StopSignals, EndsTheProcessAtTheThirdWhateverTheLoopDoes) {
  EXPECT_EQ(status_of([] {
              boost::asio::io_context loop;
              stop_signals signals(loop.get_executor(), [](int) {});
              std::raise(SIGINT);
              std::raise(SIGINT);
              std::raise(SIGTERM);
            }),
            128 + SIGTERM);
}

TEST(StopSignals, RestoresWhatSignalsDidBefore) {
  EXPECT_EQ(status_of([] {
              boost::asio::io_context loop;
              {
                const stop_signals signals(loop.get_executor(), [](int) {});
              }
              std::raise(SIGTERM);
            }),
            -SIGTERM);
}

TEST(StopSignals, LeavesIgnoredSignalsIgnored) {
  EXPECT_EQ(status_of([] {
              std::signal(SIGINT, SIG_IGN);
              boost::asio::io_context loop;
              stop_signals signals(loop.get_executor(), [](int) {});
              for (int i = 0; i < 5; ++i) std::raise(SIGINT);
            }),
            0);
}

}  // namespace
