#include "dspu/address_order.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dspu::app {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::make_address;
using ::testing::ElementsAre;

constexpr address_race::instant start{1h};

// All that may begin now.
std::vector<std::size_t> begun(address_race& race, address_race::instant now) {
  std::vector<std::size_t> places;
  while (const auto place = race.next(now)) places.push_back(*place);
  return places;
}

TEST(AddressRace, TriesTheNextWhenTheNewestDoesNotAnswer) {
  address_race race(3, 250ms);
  EXPECT_THAT(begun(race, start), ElementsAre(0));
  EXPECT_EQ(race.next_at(), start + 250ms);
  EXPECT_THAT(begun(race, start + 249ms), ElementsAre());
  EXPECT_THAT(begun(race, start + 250ms), ElementsAre(1));
  EXPECT_THAT(begun(race, start + 499ms), ElementsAre());
  EXPECT_THAT(begun(race, start + 700ms), ElementsAre(2));
  EXPECT_EQ(race.next_at(), address_race::instant::max());
  EXPECT_FALSE(race.is_lost());
}

TEST(AddressRace, TriesTheNextAtOnceWhenOneFails) {
  address_race race(3, 250ms);
  begun(race, start);
  race.failed();
  EXPECT_THAT(begun(race, start + 1ms), ElementsAre(1));
  race.failed();
  EXPECT_THAT(begun(race, start + 1ms), ElementsAre(2));
  EXPECT_FALSE(race.is_lost());
  race.failed();
  EXPECT_TRUE(race.is_lost());
}

TEST(AddressRace, TriesOneMoreForEachFailure) {
  address_race race(4, 250ms);
  begun(race, start);
  begun(race, start + 250ms);
  race.failed();  // the first, at last
  EXPECT_THAT(begun(race, start + 260ms), ElementsAre(2));
  EXPECT_EQ(race.next_at(), start + 510ms);
}

TEST(AnsweredAddresses, PutsTheOneThatAnsweredInFront) {
  const auto dead = make_address("192.0.2.1"), live = make_address("192.0.2.2"),
             other = make_address("2001:db8::1");
  answered_addresses memory;
  std::vector list{dead, live, other};
  memory.sort("h:80", list);
  EXPECT_THAT(list, ElementsAre(dead, live, other));
  memory.answered("h:80", live);
  memory.sort("h:80", list);
  EXPECT_THAT(list, ElementsAre(live, dead, other));
  std::vector changed{dead, other};  // the name has other addresses now
  memory.sort("h:80", changed);
  EXPECT_THAT(changed, ElementsAre(dead, other));
}

TEST(AnsweredAddresses, IsBounded) {
  answered_addresses memory;
  const auto a = make_address("192.0.2.1"), b = make_address("192.0.2.2");
  for (int i = 0; i < 100'000; ++i) memory.answered(std::to_string(i), b);
  std::vector list{a, b};
  memory.sort("0", list);
  EXPECT_THAT(list, ElementsAre(a, b)) << "forgotten";
  memory.sort("99999", list);
  EXPECT_THAT(list, ElementsAre(b, a));
}

}  // namespace
}  // namespace dspu::app
