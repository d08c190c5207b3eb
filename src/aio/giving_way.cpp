#include "dspu/aio/detail/giving_way.hpp"

namespace dspu::aio::detail {

void giving_way::suspend(frame_base& f) {
  const auto executor = running_thread::of(f).get_executor();
  parked_.park(f);
  try {
    post_to(executor);
  } catch (...) {  // no memory to give way with: it goes on
    parked_.unpark();
  }
}

}  // namespace dspu::aio::detail
