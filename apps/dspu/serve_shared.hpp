// What all connections of the unreliable server share.
#pragma once

#include "dspu/core/token_bucket.hpp"
#include "dspu/serve_options.hpp"
#include "dspu/serve_statistics.hpp"
#include "dspu/trouble.hpp"

#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <optional>

namespace dspu::app {

struct serve_shared {
  using clock = std::chrono::steady_clock;

  explicit serve_shared(const serve_options& o);

  serve_options options;
  trouble dice;
  serve_recorder record;
  clock::time_point start = clock::now();
  std::optional<boost::asio::ssl::context> tls;
  std::optional<core::token_bucket> limit;
  core::token_bucket::level level = 0;

  // Whether --rate lets a request pass now; if not, how long until it would.
  bool takes_from_limit(clock::time_point now);
  core::duration limit_wait(clock::time_point now) const;
};

}  // namespace dspu::app
