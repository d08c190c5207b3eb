#include "composition/world.hpp"

namespace dspu::aio::composition {

row around_timeout_and_retry(kind outer) {
  return outer == kind::timeout ? row_of<kind::timeout>() : row_of<kind::retry>();
}

}  // namespace dspu::aio::composition
