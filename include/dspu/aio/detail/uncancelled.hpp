// Awaits something to its end whatever happens to the caller, for callbacks that must not be cut off half-way.
#pragma once

#include "dspu/aio/detail/family.hpp"

namespace dspu::aio::detail {

// What `op` throws is dropped. Throws: bad_alloc, if there was no memory to begin it. On cancel: nothing; the caller notices
// afterwards.
awaitable<void> uncancelled(awaitable<void> op);

}  // namespace dspu::aio::detail
