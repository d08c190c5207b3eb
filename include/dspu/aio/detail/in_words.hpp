// Options in words, for describe() and error messages.
#pragma once

#include "dspu/core/backoff.hpp"
#include "dspu/core/duration.hpp"

#include <string>

namespace dspu::aio::detail {

std::string in_words(core::duration d);  // "10 s", "250 ms", "1.5 min"
std::string in_words(double number);     // as short as it can be said exactly enough: "10", "0.25"
std::string name_of(core::backoff_strategy s);
std::string name_of(core::jitter j);

}  // namespace dspu::aio::detail
