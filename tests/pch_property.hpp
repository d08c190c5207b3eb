#include "pch_aio.hpp"

#include <rapidcheck/gtest.h>
