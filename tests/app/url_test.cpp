#include "dspu/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace dspu::app;

TEST(NormalizeUrl, KeepsWhatIsFineAndMendsWhatIsHarmless) {
  const std::vector<std::pair<std::string_view, std::string_view>> table{
      {"http://h/a?b=c", "http://h/a?b=c"},    {"HTTP://EXAMPLE.com/Path", "http://example.com/Path"},
      {"https://h:8443", "https://h:8443"},    {"http://[::1]:8080/x", "http://[::1]:8080/x"},
      {"http://h/a#fragment", "http://h/a"},   {"http://h/ä|b", "http://h/%C3%A4%7Cb"},
      {"http://h/100%", "http://h/100%25"},    {"http://h/%7e%zz", "http://h/%7e%25zz"},
      {"http://h?q=[1]", "http://h?q=%5B1%5D"}};
  for (const auto& [text, expected] : table) EXPECT_EQ(normalize_url(text), expected) << text;
}

TEST(NormalizeUrl, RefusesWithAReason) {
  const std::vector<std::pair<std::string_view, std::string_view>> table{
      {"", "in full"},
      {"example.com/x", "in full"},
      {"//h/x", "in full"},
      {"ftp://h/x", "http or https"},
      {"http:///x", "host"},
      {"http://:80/", "host"},
      {"http://h:0/", "port"},
      {"http://h:65536/", "port"},
      {"http://h:999999999999999999999/", "port"},
      {"http://h/a b", "blank"},
      {"http://bücher.example/", "punycode"},
      {"http://h:x/", "form"},
      {"http://h:8x/", "form"},
      {"http://h:80:90/", "form"}};
  for (const auto& [text, reason] : table) {
    try {
      normalize_url(text);
      ADD_FAILURE() << "accepted " << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(std::string(reason))) << text;
    }
  }
}

}  // namespace
