#include "dspu/serve_shared.hpp"

#include <algorithm>

namespace dspu::app {

namespace {

std::optional<core::token_bucket> bucket_of(const serve_options& options, core::instant start) {
  if (!options.limit) return std::nullopt;
  core::token_bucket_options bucket;
  bucket.rate = options.limit->amount;
  bucket.per = options.limit->per;
  bucket.capacity = options.limit->burst > 0 ? options.limit->burst : std::max(1.0, options.limit->amount);
  return core::token_bucket(bucket, start);
}

}  // namespace

serve_shared::serve_shared(const serve_options& o)
    : options(o), dice(o), limit(bucket_of(o, core::instant_of(start))) {}

bool serve_shared::takes_from_limit(clock::time_point now) {
  if (!limit) return true;
  const auto next = limit->take(level, limit->units_of(1), core::instant_of(now));
  if (next) level = *next;
  return next.has_value();
}

core::duration serve_shared::limit_wait(clock::time_point now) const {
  return std::max(limit->ready_at(level, limit->units_of(1)) - core::instant_of(now), core::duration(1));
}

}  // namespace dspu::app
