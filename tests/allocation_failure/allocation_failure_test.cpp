// Every public operation, with each of its allocations failing in turn.
#include "allocation_failure/harness.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace dspu::aio::proof {
namespace {

// On a context that is known to have one thread, and on a plain one, where children get lanes.
class AllocationFailure : public ::testing::TestWithParam<int> {
 protected:
  static void check(std::string_view table) {
    for (const auto& s : scenarios_of(table)) {
      const auto found = fail_everywhere(s, GetParam());
      EXPECT_EQ(found.complaints, "");
      EXPECT_GT(found.failures, 1U) << s.name << " allocates nothing";
    }
  }
};

TEST_P(AllocationFailure, ReachesTheCallerOfGather) { check("gathers"); }

INSTANTIATE_TEST_SUITE_P(OnContexts, AllocationFailure, ::testing::Values(1, BOOST_ASIO_CONCURRENCY_HINT_DEFAULT),
                         [](const auto& i) { return i.param == 1 ? "OfOneThread" : "OfSeveral"; });

}  // namespace
}  // namespace dspu::aio::proof
