#include "dspu/impl/engine.hpp"

namespace dspu::app {

template class basic_engine<std::chrono::steady_clock>;

}  // namespace dspu::app
