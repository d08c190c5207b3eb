#include "composition/world.hpp"

namespace dspu::aio::composition {

row around_the_others(kind outer) {
  if (outer == kind::bulkhead) return row_of<kind::bulkhead>();
  return outer == kind::throttle ? row_of<kind::throttle>() : row_of<kind::fallback>();
}

}  // namespace dspu::aio::composition
