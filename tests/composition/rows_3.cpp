#include "composition/world.hpp"

namespace dspu::aio::composition {

row around_throttle_and_fallback(kind outer) {
  return outer == kind::throttle ? row_of<kind::throttle>() : row_of<kind::fallback>();
}

}  // namespace dspu::aio::composition
