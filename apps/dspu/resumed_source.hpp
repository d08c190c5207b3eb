// Input without the requests that an earlier run finished.
#pragma once

#include "dspu/request_source.hpp"
#include "dspu/results_file.hpp"

#include <cstdint>
#include <functional>

namespace dspu::app {

class resumed_source final : public request_source {
 public:
  // `on_failed` is told of every request that is left out and has failed, so that a new --failed-to file can
  // list it. `retry_failed`: those are not left out. A wrong line that has been mended never is.
  resumed_source(request_source& source, const finished_requests& finished,
                 std::function<void(const input_item&)> on_failed, bool retry_failed = false)
      : source_(source), finished_(finished), on_failed_(std::move(on_failed)), retry_failed_(retry_failed) {}

  state next(input_item& item) override;
  boost::asio::awaitable<void> wait() override { return source_.wait(); }
  std::optional<std::uint64_t> expected() const override;

  // How many items have been left out. Results beyond these belong to no request of this input.
  std::uint64_t skipped() const { return skipped_; }
  // How many had failed and are done again.
  std::uint64_t repeated() const { return repeated_; }

 private:
  request_source& source_;
  const finished_requests& finished_;
  std::function<void(const input_item&)> on_failed_;
  bool is_repeated(const input_item& item) const;

  bool retry_failed_;
  std::uint64_t skipped_ = 0;
  std::uint64_t repeated_ = 0;
};

}  // namespace dspu::app
