#include "dspu/address_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace dspu::app {
namespace {

using boost::asio::ip::make_address;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(AddressRules, ReadHostsThatAreGiven) {
  const given_host one = parse_given_host("Example.com:443:192.0.2.1");
  EXPECT_EQ(one.host, "example.com");
  EXPECT_EQ(one.port, 443);
  EXPECT_THAT(one.addresses, ElementsAre(make_address("192.0.2.1")));
  EXPECT_THAT(parse_given_host("h:80:[2001:db8::1],192.0.2.1,::1").addresses,
              ElementsAre(make_address("2001:db8::1"), make_address("192.0.2.1"), make_address("::1")));
  for (const char* text : {"", "h", "h:80", "h:80:", ":80:192.0.2.1", "h:0:192.0.2.1", "h:65536:192.0.2.1",
                           "h:x:192.0.2.1", "h:80:nowhere", "h:80:192.0.2.1,", "h:80:[::1"})
    EXPECT_THROW(parse_given_host(text), std::invalid_argument) << text;
}

TEST(AddressRules, GiveAHostItsAddresses) {
  address_rules rules;
  rules.hosts = {parse_given_host("*:80:192.0.2.9"), parse_given_host("a:80:192.0.2.1"),
                 parse_given_host("a:80:192.0.2.2"), parse_given_host("a:443:192.0.2.3,2001:db8::3")};
  EXPECT_THAT(rules.given("a", 80), ElementsAre(make_address("192.0.2.2"))) << "the last that was given";
  EXPECT_THAT(rules.given("b", 80), ElementsAre(make_address("192.0.2.9")));
  EXPECT_THAT(rules.given("b", 443), IsEmpty());
  rules.family = ip_family::v6;
  EXPECT_THAT(rules.given("a", 443), ElementsAre(make_address("2001:db8::3")));
}

TEST(AddressRules, KeepToAFamily) {
  const std::vector both{make_address("192.0.2.1"), make_address("::1"), make_address("192.0.2.2")};
  EXPECT_EQ(address_rules{}.wanted(both), both);
  EXPECT_THAT(address_rules{.family = ip_family::v4}.wanted(both),
              ElementsAre(make_address("192.0.2.1"), make_address("192.0.2.2")));
  EXPECT_THAT(address_rules{.family = ip_family::v6}.wanted(both), ElementsAre(make_address("::1")));
}

}  // namespace
}  // namespace dspu::app
