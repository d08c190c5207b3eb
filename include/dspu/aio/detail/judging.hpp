// What a policy's filter makes of the policies' own errors, for its facts.
#pragma once

#include "dspu/aio/outcome.hpp"
#include "dspu/aio/stage_facts.hpp"

namespace dspu::aio::detail {

// The facts of a policy that judges by that filter.
stage_facts judging(stage_facts f, const classifier& classify);

}  // namespace dspu::aio::detail
