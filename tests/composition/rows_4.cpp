#include "composition/world.hpp"

namespace dspu::aio::composition {

row around_the_others(kind outer) {
  if (outer == kind::bulkhead) return row_of<kind::bulkhead>();
  return outer == kind::hedge ? row_of<kind::hedge>() : row_of<kind::adaptive>();
}

}  // namespace dspu::aio::composition
