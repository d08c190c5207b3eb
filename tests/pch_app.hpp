#include "pch_aio.hpp"

#include <boost/json.hpp>
