#include "dspu/output_queue.hpp"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace {

using namespace dspu::app;

class OutputQueue : public ::testing::Test {
 protected:
  OutputQueue() {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    reader = file_descriptor(ends[0]);
    write_end = ends[1];
  }

  std::string take(std::size_t most = 4096) {
    std::string text(most, '\0');
    const ssize_t count = ::read(reader.get(), text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }

  file_descriptor reader;
  int write_end = -1;
};

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

TEST_F(OutputQueue, WritesAtOnceWhatFits) {
  output_queue queue{file_descriptor(write_end)};
  EXPECT_EQ(queue.write("a\n"), 0);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(take(), "a\n");
}

TEST_F(OutputQueue, QueuesWhatAFullPipeDoesNotTake) {
  output_queue queue{file_descriptor(write_end)};
  const std::string all = lines(2000);
  EXPECT_EQ(queue.write(all), 0);
  EXPECT_GT(queue.size(), all.size() - 4097);
  std::string taken = take();
  EXPECT_TRUE(taken.ends_with('\n')) << "a line is split between two writes";
  while (queue.size() > 0) {
    EXPECT_EQ(queue.write(""), 0);
    taken += take();
  }
  EXPECT_EQ(taken, all);
}

TEST_F(OutputQueue, IsWrittenOnTheLoopAsTheReaderTakesIt) {
  boost::asio::io_context loop;
  output_queue queue{file_descriptor(write_end)};
  const std::string all = lines(2000);
  std::string taken;
  int times = 0;
  queue.write(all);
  queue.attach(loop.get_executor(), [&](int error) {
    EXPECT_EQ(error, 0);
    ++times;
    taken += take();
  });
  loop.poll();
  EXPECT_EQ(times, 0) << "nobody has read";
  taken += take();
  loop.run();  // ends when the queue is empty
  taken += take();
  EXPECT_EQ(taken, all);
  EXPECT_GT(times, 1);
}

TEST_F(OutputQueue, LeavesTheFlagsOfItsDescriptorAlone) {
  boost::asio::io_context loop;
  output_queue queue{file_descriptor(write_end)};
  queue.write(lines(2000));
  queue.attach(loop.get_executor(), [](int) {});
  loop.poll();
  EXPECT_EQ(::fcntl(write_end, F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(OutputQueue, ReportsAReaderThatGoesAwayWhileItWaits) {
  boost::asio::io_context loop;
  output_queue queue{file_descriptor(write_end)};
  int seen = 0;
  queue.write(lines(2000));
  queue.attach(loop.get_executor(), [&](int error) { seen = error; });
  reader.reset();
  loop.run();
  EXPECT_EQ(seen, EPIPE);
  EXPECT_EQ(queue.size(), 0u);
}

TEST_F(OutputQueue, IsNotWrittenOnTheLoopOnceItIsDetached) {
  boost::asio::io_context loop;
  output_queue queue{file_descriptor(write_end)};
  queue.write(lines(2000));
  queue.attach(loop.get_executor(), [](int) { ADD_FAILURE(); });
  take();
  queue.detach();
  loop.run();
  EXPECT_GT(queue.size(), 0u);
}

TEST_F(OutputQueue, FinishesUntilItIsInterrupted) {
  std::array<int, 2> interrupt{};
  ASSERT_EQ(::pipe2(interrupt.data(), O_CLOEXEC), 0);
  const file_descriptor first(interrupt[0]);
  const file_descriptor second(interrupt[1]);
  output_queue queue{file_descriptor(write_end)};
  queue.write(lines(2000));
  ASSERT_EQ(::write(second.get(), "x", 1), 1);
  EXPECT_EQ(queue.finish({.interrupt = first.get()}), EINTR);
  EXPECT_EQ(queue.size(), 0u);
}

TEST_F(OutputQueue, FinishesUntilItsTimeIsUp) {
  output_queue queue{file_descriptor(write_end)};
  queue.write(lines(2000));
  EXPECT_EQ(queue.finish({.until = std::chrono::steady_clock::now()}), EINTR);
  EXPECT_EQ(queue.finish(), 0) << "there is nothing left";
}

}  // namespace
