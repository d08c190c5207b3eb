#include "dspu/plan.hpp"

#include "dspu/descriptor_limit.hpp"
#include "dspu/exit_status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

input_item item(const std::string& url, const std::string& method = "GET") {
  input_item made;
  made.request.url = url;
  made.request.method = method;
  return made;
}

TEST(Plan, CountsRequestsByOrigin) {
  plan made;
  made.add(item("http://b/1"));
  made.add(item("http://a/1"));
  made.add(item("http://a:80/2", "POST"));
  input_item wrong;
  wrong.problem = "list:4: no";
  made.add(wrong);
  fetch_options options;
  options.host_rate = rate_spec{1, 10s, {}};
  const std::string text = made.to_text(options);
  EXPECT_THAT(text, HasSubstr("3 requests to 2 origins, 1 lines wrong"));
  EXPECT_THAT(text, HasSubstr("http://a  2 (GET 1, POST 1), 8 at once, at least 10.0s at --host-rate"));
  EXPECT_LT(text.find("http://a"), text.find("http://b"));
  EXPECT_THAT(made.problems(), ElementsAre("list:4: no"));
}

TEST(Plan, KnowsTheLeastTimeUnderARate) {
  EXPECT_EQ(least_time(10, {10, 1s, {}}), 900ms);
  EXPECT_EQ(least_time(10, {10, 1s, 10.0}), 0s);
  EXPECT_EQ(least_time(110, {10, 1s, 10.0}), 10s);
  EXPECT_EQ(least_time(11, {10, 1s, 1.0}), 1s);
  EXPECT_EQ(least_time(1'000'000'000'000, {0.001, 1h, 1.0}), std::chrono::nanoseconds::max());
}

TEST(FitConnections, LetsIdleConnectionsGiveWayFirst) {
  EXPECT_EQ(fit_connections(1024, 50, 0).concurrency, 50u);
  EXPECT_EQ(fit_connections(1024, 50, 0).connections, 306u);
  EXPECT_EQ(fit_connections(1024, 900, 0).concurrency, 900u);
  EXPECT_EQ(fit_connections(1024, 900, 0).connections, 960u);
  EXPECT_EQ(fit_connections(1024, 5000, 0).concurrency, 960u);
  EXPECT_EQ(fit_connections(1024, 5000, 0).connections, 960u);
  EXPECT_EQ(fit_connections(1024, 400, 1).connections, 560u);
  EXPECT_EQ(fit_connections(1024, 5000, 1).concurrency, 480u);
  EXPECT_EQ(fit_connections(1024, 5000, 1).connections, 480u);
  EXPECT_EQ(fit_connections(1024, 5000, 2).concurrency, 320u);
  EXPECT_EQ(fit_connections(20, 50, 1).concurrency, 1u);
}

TEST(ExitStatus, SaysTheGravest) {
  EXPECT_EQ(exit_status_of({}), 0);
  EXPECT_EQ(exit_status_of({.failures = true}), 1);
  EXPECT_EQ(exit_status_of({.wrong_input = true, .failures = true}), 2);
  EXPECT_EQ(exit_status_of({.stopped = true, .wrong_input = true, .failures = true}), 4);
  EXPECT_EQ(exit_status_of({.signal = 2, .stopped = true}), 130);
  EXPECT_EQ(exit_status_of({.signal = 15}), 143);
}

}  // namespace
