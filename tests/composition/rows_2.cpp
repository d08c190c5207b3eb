#include "composition/world.hpp"

namespace dspu::aio::composition {

row around_breaker_and_limiter(kind outer) {
  return outer == kind::breaker ? row_of<kind::breaker>() : row_of<kind::limiter>();
}

}  // namespace dspu::aio::composition
