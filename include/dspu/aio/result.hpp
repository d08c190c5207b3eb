// A value, or the exception that came instead; value() rethrows it. What gather_with_limit(…, return_exceptions) and
// map_as_completed give.
#pragma once

#include <boost/system/result.hpp>

#include <exception>

namespace dspu::aio {

template <class T>
using result = boost::system::result<T, std::exception_ptr>;

}  // namespace dspu::aio
