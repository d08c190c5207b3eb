// Where random numbers come from unless the user says otherwise: a generator per thread, seeded by the OS.
#pragma once

namespace dspu::aio::detail {

// Uniform in [0, 1).
double thread_random();

}  // namespace dspu::aio::detail
