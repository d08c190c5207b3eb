// The bridges between ordinary blocking code and coroutines, all of them:
//
//   sync_to_async(fn, args…)   a blocking function, awaited            (sync_to_async.hpp)
//   run_async(op)              an awaitable, waited for by a thread    (run_async.hpp)
//   async_to_sync(fn)          the same as a decorator
//   iter_over_async(source)    an async generator as an input range    (iter_over_async.hpp)
#pragma once

#include "dspu/aio/generator.hpp"
#include "dspu/aio/iter_over_async.hpp"
#include "dspu/aio/run_async.hpp"
#include "dspu/aio/sync_to_async.hpp"
