// The policies on the manual clock, compiled once for all tests.
#include "dspu/aio/clock_support.hpp"
#include "dspu/testing/manual_clock.hpp"

template struct dspu::aio::clock_support<dspu::testing::manual_clock>;
