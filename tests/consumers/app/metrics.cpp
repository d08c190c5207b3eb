// What a user of dspu::prometheus includes and links.
#include <dspu/prometheus/metrics.hpp>

bool counts_into(::prometheus::Registry& registry) {
  dspu::prometheus::metrics metrics(registry);
  metrics.update("consumer", dspu::aio::rate_limiter_statistics{});
  return registry.Collect().size() == 2;
}
