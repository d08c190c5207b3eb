// What the unreliable server did, counted.
#pragma once

#include "dspu/trouble.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>

namespace dspu::app {

struct serve_statistics {
  std::uint64_t connections = 0;  // accepted, also those that an outage reset
  std::uint64_t open_connections = 0;
  std::uint64_t requests = 0;
  std::uint64_t malformed = 0;          // connections dropped for what they sent
  std::uint64_t max_in_one_second = 0;  // requests, over all windows [t, t + 1 s)
  std::array<std::uint64_t, answer_kinds> answers{};
  std::map<unsigned, std::uint64_t> by_status;  // only answers that were sent whole
  std::map<std::string, std::uint64_t>
      by_path;  // without the query; after max_paths, the others are "(other)"

  static constexpr std::size_t max_paths = 10'000;

  std::uint64_t of(answer_kind kind) const { return answers[static_cast<std::size_t>(kind)]; }
};

// A few lines for people.
std::ostream& operator<<(std::ostream& out, const serve_statistics& s);

// Counts on the server's thread, may be read on any.
class serve_recorder {
 public:
  using clock = std::chrono::steady_clock;

  void connection_opened();
  void connection_closed();
  void connection_malformed();
  // Returns the request's number, from 0.
  std::uint64_t request(std::string_view target, clock::time_point now);
  void answer(answer_kind kind);
  void status(unsigned status);

  serve_statistics snapshot() const;

 private:
  mutable std::mutex mutex_;
  serve_statistics counts_;
  std::deque<clock::time_point> last_second_;
};

}  // namespace dspu::app
