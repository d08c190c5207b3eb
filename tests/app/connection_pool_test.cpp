#include "dspu/connection_pool.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;

class ConnectionPool : public ::testing::Test {
 protected:
  connection_pool pool{{.per_key = 2, .total = 3, .lifetime = 10s}};
  connection_pool::clock::time_point now{1h};

  void give(const std::string& key, const std::string& who) {
    pool.give_back(key, std::make_unique<connection>(loop_.get_executor(), who), now);
  }
  // Whose connection it is; nothing if there is none. They are not open: only those that nobody looks at are good.
  std::string take(const std::string& key) {
    const auto taken = pool.take(key, true, now);
    return taken ? taken->who() : "";
  }

 private:
  boost::asio::io_context loop_{1};
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
