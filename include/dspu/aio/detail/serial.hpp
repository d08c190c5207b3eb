// Which executors run one function at a time: strands, lanes, and an io_context that was promised a single thread.
//
// An io_context says so by its concurrency hint (`io_context ctx{1}`). A plain `io_context ctx;` may be run by several
// threads, and a thread_pool is; there, what must not run at once gets a strand of its own.
#pragma once

#include "dspu/aio/detail/asio.hpp"

namespace boost::asio {
class io_context;
}

namespace dspu::aio::detail {

bool is_serial(const asio::any_io_executor& ex);

// Whether it is the plain executor of an `io_context ctx{1}`: whatever runs on that context is serial with it.
bool is_loop_of_one_thread(const asio::any_io_executor& ex);
bool is_loop_of_one_thread(asio::io_context& context);

// `ex` itself if it is serial, else a new strand on it.
asio::any_io_executor make_serial(const asio::any_io_executor& ex);

}  // namespace dspu::aio::detail
