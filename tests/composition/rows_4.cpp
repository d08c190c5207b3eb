#include "composition/world.hpp"

namespace dspu::aio::composition {

row around_the_others(kind outer) {
  if (outer == kind::bulkhead) return row_of<kind::bulkhead>();
  if (outer == kind::hedge) return row_of<kind::hedge>();
  if (outer == kind::pace) return row_of<kind::pace>();
  return outer == kind::adaptive ? row_of<kind::adaptive>() : row_of<kind::chaos>();
}

}  // namespace dspu::aio::composition
