// The pool on which sync_to_async runs functions unless told otherwise: one per process.
#pragma once

#include <boost/asio/thread_pool.hpp>

#include <cstddef>

namespace dspu::aio {

// min(32, cores + 4): enough for functions that block, few enough not to swamp the machine.
std::size_t default_pool_size();

// Started by the first call. It ends when the process does, after main() has returned: functions that run are waited
// for, those that still queue are dropped. To end it earlier, call stop() and join() on it; nothing runs on it then.
// Thread-safety: may be called from any thread.
boost::asio::thread_pool& default_pool();

}  // namespace dspu::aio
