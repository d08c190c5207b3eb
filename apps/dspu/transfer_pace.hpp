// Whether an exchange with a server moves on: how long until its answer begins, how long without a byte, how
// slowly. Decisions only: whoever reads and writes says what has come, and looks at the verdict at due().
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace dspu::app {

struct transfer_limits {
  using duration = std::chrono::nanoseconds;
  static constexpr duration none = duration::max();

  // From when the request has been sent until the header of its answer is there.
  duration first_byte = none;
  // Without a byte of the request going out, or of the body coming in.
  duration stall = none;
  // Of the body, on average over each such time; 0: none.
  std::uint64_t bytes_per_second = 0;
  duration measured_over = std::chrono::seconds(30);
};

class transfer_pace {
 public:
  using instant = std::chrono::steady_clock::time_point;
  enum class fault { first_byte, stall, slow };

  // The request begins to go out. The header of the answer must be there at `answer_by`, whatever the limits
  // say.
  transfer_pace(const transfer_limits& limits, instant answer_by, instant now);

  // Some of the request has gone out.
  void wrote(instant now) { moved_ = now; }
  // All of it has.
  void sent(instant now);
  // Bytes have come; `head`: the header of the answer is whole.
  void read(std::uint64_t bytes, bool head, instant now);

  // When to look again: nothing is wrong before, whatever happens.
  instant due() const;
  std::optional<fault> verdict(instant now);

 private:
  enum class phase { sending, waiting, receiving };
  void begin_window(instant now);

  transfer_limits limits_;
  phase phase_ = phase::sending;
  instant moved_;      // the last byte, in either direction
  instant answer_by_;  // while there is no answer
  instant window_end_ = instant::max();
  std::uint64_t window_bytes_ = 0;
};

}  // namespace dspu::app
