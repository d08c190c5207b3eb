#include "dspu/name_resolver.hpp"

#include "net_support.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <future>

namespace dspu::app::test {
namespace {

using namespace std::chrono_literals;

lookup_result loopback() { return {{asio::ip::make_address("127.0.0.1")}, {}}; }

auto in(std::chrono::nanoseconds d) { return name_resolver::clock::now() + d; }

TEST(NameResolverWallClock, TakesAnAddressForItsOwnAnswer) {
  asio::io_context loop;
  name_resolver resolver(loop.get_executor(),
                         [](const std::string&) -> lookup_result { throw std::logic_error("asked"); });
  EXPECT_EQ(run(loop, resolver.resolve("127.0.0.1", in(10s))).result.addresses.at(0).to_string(),
            "127.0.0.1");
  EXPECT_EQ(run(loop, resolver.resolve("::1", in(10s))).result.addresses.at(0).to_string(), "::1");
}

TEST(NameResolverWallClock, AsksTheSystem) {
  asio::io_context loop;
  name_resolver resolver(loop.get_executor());
  const auto answer = run(loop, resolver.resolve("localhost", in(30s)));
  ASSERT_FALSE(answer.result.addresses.empty()) << answer.result.error;
  for (const auto& address : answer.result.addresses) EXPECT_TRUE(address.is_loopback());
}

TEST(NameResolverWallClock, AsksOnceForManyAndRemembers) {
  asio::io_context loop;
  std::atomic<int> asked = 0;
  name_resolver resolver(loop.get_executor(), [&](const std::string&) {
    ++asked;
    return loopback();
  });
  int answered = 0;
  for (int i = 0; i < 20; ++i)
    asio::co_spawn(loop, resolver.resolve("a.test", in(30s)),
                   [&](std::exception_ptr, const name_resolver::answer& a) {
                     answered += a.result.addresses.size() == 1;
                   });
  run_until(loop, [&] { return answered == 20; });
  run(loop, resolver.resolve("a.test", in(30s)));
  EXPECT_EQ(asked, 1);
  run(loop, resolver.resolve("b.test", in(30s)));
  EXPECT_EQ(asked, 2);
}

TEST(NameResolverWallClock, ForgetsFailures) {
  asio::io_context loop;
  int asked = 0;
  name_resolver resolver(loop.get_executor(), [&](const std::string&) {
    return ++asked == 1 ? lookup_result{{}, "try again"} : loopback();
  });
  EXPECT_EQ(run(loop, resolver.resolve("a.test", in(30s))).result.error, "try again");
  EXPECT_EQ(run(loop, resolver.resolve("a.test", in(30s))).result.addresses.size(), 1U);
}

TEST(NameResolverWallClock, LooksUpSideBySide) {
  asio::io_context loop;
  std::promise<void> release;
  name_resolver resolver(loop.get_executor(),
                         [blocked = release.get_future().share()](const std::string& host) {
                           if (host == "slow.test") blocked.wait();
                           return loopback();
                         });
  bool slow_done = false;
  asio::co_spawn(loop, resolver.resolve("slow.test", in(60s)),
                 [&](std::exception_ptr, auto) { slow_done = true; });
  EXPECT_EQ(run(loop, resolver.resolve("fast.test", in(30s))).result.addresses.size(), 1U);
  EXPECT_FALSE(slow_done);
  release.set_value();
  run_until(loop, [&] { return slow_done; });
}

TEST(NameResolverWallClock, WaitsNoLongerThanItIsTold) {
  asio::io_context loop;
  std::promise<void> release;
  {
    name_resolver resolver(loop.get_executor(), [blocked = release.get_future().share()](const std::string&) {
      blocked.wait();
      return loopback();
    });
    EXPECT_TRUE(run(loop, resolver.resolve("slow.test", in(20ms))).timed_out);
    EXPECT_TRUE(run(loop, resolver.resolve("slow.test", in(20ms))).timed_out)
        << "joins the lookup that still runs";
  }
  release.set_value();  // its result is delivered nowhere
}

}  // namespace
}  // namespace dspu::app::test
