#include "dspu/connection_pool.hpp"

#include "dspu/file_descriptor.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;

class ConnectionPool : public ::testing::Test {
 protected:
  connection_pool pool{{.per_key = 2, .total = 3, .lifetime = 10s}};
  connection_pool::clock::time_point now{1h};

  void give(const std::string& key, const std::string& who, bool kept = true) {
    pool.give_back(key, std::make_unique<connection>(loop_.get_executor(), who), kept, now);
  }
  // One that looks good, as long as the pool has it.
  void give_open(const std::string& key, const std::string& who, bool kept = false) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    far_ends_.emplace_back(ends[1]);
    auto peer = std::make_unique<connection>(loop_.get_executor(), who);
    peer->stream().socket().assign(boost::asio::ip::tcp::v4(), ends[0]);
    pool.give_back(key, std::move(peer), kept, now);
  }
  void close_all() { far_ends_.clear(); }
  // Whose connection it is; nothing if there is none. Unless they are open, only those that nobody looks at
  // are good.
  std::string take(const std::string& key, bool repeatable = true) {
    const auto taken = pool.take(key, repeatable, now);
    return taken.stream ? taken.stream->who() : "";
  }
  // For a request that cannot be repeated.
  std::string take_surely(const std::string& key) { return take(key, false); }

 private:
  boost::asio::io_context loop_{1};
  std::vector<file_descriptor> far_ends_;
};

TEST_F(ConnectionPool, GivesTheYoungestOfItsKey) {
  give("a", "first");
  give("b", "other");
  give("a", "second");
  EXPECT_EQ(pool.size(), 3u);
  EXPECT_EQ(take("a"), "second");
  EXPECT_EQ(take("a"), "first");
  EXPECT_EQ(take("a"), "");
  EXPECT_EQ(take("c"), "");
  EXPECT_EQ(take("b"), "other");
  EXPECT_EQ(pool.size(), 0u);
}

TEST_F(ConnectionPool, ClosesTheOldestWhereThereAreTooMany) {
  give("a", "1");
  give("a", "2");
  give("a", "3");
  EXPECT_EQ(pool.size(), 2u) << "two for a key";
  give("b", "4");
  give("c", "5");
  EXPECT_EQ(pool.size(), 3u) << "three in all";
  EXPECT_EQ(take("a"), "3");
  EXPECT_EQ(take("a"), "");
  EXPECT_EQ(take("b"), "4");
  EXPECT_EQ(take("c"), "5");
}

TEST_F(ConnectionPool, ClosesWhatHasIdledTooLong) {
  give("a", "old");
  now += 9999ms;
  give("b", "young");
  now += 1ms;
  EXPECT_EQ(take("a"), "");
  EXPECT_EQ(pool.size(), 1u);
}

TEST_F(ConnectionPool, LooksAtWhatHasNotJustBeenUsed) {
  give("a", "closed");
  now += 1ms;
  EXPECT_EQ(take("a"), "");
  EXPECT_EQ(pool.size(), 0u);
}

TEST_F(ConnectionPool, TrustsNoServerThatHasNotShownThatItKeepsConnections) {
  give_open("a", "first");
  now += 499ms;
  EXPECT_EQ(take_surely("a"), "") << "it may be about to be closed";
  give_open("a", "second");
  EXPECT_EQ(pool.size(), 2u);
  now += 1ms;
  EXPECT_EQ(take_surely("a"), "first") << "it would have been closed by now";
  EXPECT_EQ(take_surely("a"), "");
  EXPECT_EQ(take("a"), "second") << "what can be repeated risks nothing";
  give_open("a", "third", true);
  EXPECT_EQ(take_surely("a"), "third") << "it has carried a second exchange";
  give_open("b", "said", true);
  now += 1s;
  EXPECT_EQ(take_surely("b"), "") << "servers close what idles";
  EXPECT_EQ(take("b"), "said");
}

TEST_F(ConnectionPool, KeepsTheOldestOfAServerThatHasNotShownThatItKeepsConnections) {
  for (const char* who : {"1", "2", "3", "4"}) {
    give_open("a", who);
    now += 10ms;
  }
  EXPECT_EQ(pool.size(), 2u);
  now += 465ms;
  EXPECT_EQ(take_surely("a"), "1") << "or nothing would ever be known";
}

TEST_F(ConnectionPool, TrustsNoServerThatHasClosedAConnectionSoonAfterItsAnswer) {
  give_open("a", "kept", true);
  give_open("b", "kept", true);
  close_all();
  now += 10ms;
  EXPECT_EQ(take("a"), "");
  pool.was_closed("b", 10ms);
  for (const char* key : {"a", "b"}) {
    give_open(key, "other", true);
    now += 600ms;
    EXPECT_EQ(take_surely(key), "");
    EXPECT_EQ(take(key), "other");
  }
  give_open("c", "kept", true);
  pool.was_closed("c", 5s);
  EXPECT_EQ(take_surely("c"), "kept") << "it idled for long";
}

TEST_F(ConnectionPool, KnowsItsKeysAfterThousandsOfOthers) {
  for (int i = 0; i < 5000; ++i) {
    const std::string key = std::to_string(i);
    give(key, key);
    if (i % 3 == 0) {
      EXPECT_EQ(take(key), key);
    }
  }
  EXPECT_EQ(pool.size(), 3u);
  EXPECT_EQ(take("4998"), "") << "taken";
  for (const char* key : {"4999", "4997", "4996"}) EXPECT_EQ(take(key), key);
  give("4998", "again");
  EXPECT_EQ(take("4998"), "again");
  pool.clear();
  EXPECT_EQ(pool.size(), 0u);
}

}  // namespace
