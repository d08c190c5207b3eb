#include "dspu/core/http_verdict.hpp"

#include <gtest/gtest.h>

namespace {

using dspu::core::http_verdict;
using dspu::core::verdict;

TEST(HttpVerdict, IgnoresRefusalsForLoad) {
  static_assert(http_verdict(429) == verdict::ignored);
  EXPECT_EQ(http_verdict(429, true), verdict::ignored);
  EXPECT_EQ(http_verdict(503, true), verdict::ignored);
}

TEST(HttpVerdict, TakesWhatAServerCannotDoForAFailure) {
  for (const unsigned status : {408u, 500u, 501u, 502u, 503u, 504u, 599u})
    EXPECT_EQ(http_verdict(status), verdict::failure) << status;
  EXPECT_EQ(http_verdict(500, true), verdict::failure);
}

TEST(HttpVerdict, TakesEveryOtherAnswerForASuccess) {
  for (const unsigned status : {200u, 204u, 301u, 400u, 401u, 403u, 404u, 425u, 499u})
    EXPECT_EQ(http_verdict(status), verdict::success) << status;
}

}  // namespace
