// One or several token buckets that are asked together: ten a second *and* a thousand an hour, all or
// nothing.
//
// Holds the levels (token_bucket.hpp has the arithmetic) and what happens to them beside taking: tokens that
// come back, a bucket emptied until an instant, another rate. Tokens are asked for as numbers of tokens; each
// bucket counts them in units of its own. Nothing is allocated. One user at a time.
#pragma once

#include "dspu/core/token_bucket.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>

namespace dspu::core {

class token_buckets {
 public:
  static constexpr std::size_t most = 4;

  // What is asked of each bucket, in its units; sums of many pass 64 bits.
  struct amount {
    std::array<__int128, most> units{};
    amount& operator+=(const amount& other);
    amount& operator-=(const amount& other);
  };

  // All start full at `start`. A waiter's tokens are set aside as they are made, for up to `lag` (see
  // take_queued). Requires: 1 to `most` options. Throws: std::invalid_argument naming the option, its value
  // and its range.
  token_buckets(std::span<const token_bucket_options> options, instant start, duration lag);

  // The most that can be asked for: the least of the capacities.
  double capacity() const;
  double available(instant now) const;
  // Whether they are as new: full, and not drained.
  bool full(instant now) const;
  amount amount_of(double tokens) const;
  // When so much can have been taken, one after the other; instant::max() if never.
  instant ready_at(const amount& a) const;

  // All three take from each bucket or from none. Requires: 0 < tokens <= capacity().
  bool take(double tokens, instant now);
  // For the head of a queue that has waited: waking late loses no rate.
  bool take_queued(double tokens, instant now);
  // For a place in the queue that was held, and came due unnoticed: takes as of the first instant after
  // `since` at which the tokens were there, if that has come.
  bool take_since(double tokens, instant since, instant now);
  // Takes what is not there yet, too: a debt.
  void take_ahead(double tokens, instant now);

  // What comes back never fills a bucket beyond what has been made since it was last drained.
  void give_back(double tokens);
  // No token until `until`, nor at `now`; from then on they flow into an empty bucket.
  void drain(instant now, instant until);
  // Another rate or capacity for bucket `i`, from now on. Keeps the tokens in it, cut at the new capacity,
  // and until when it is drained. What was made of the next unit is lost. Throws: std::invalid_argument;
  // nothing is changed then.
  void replace(std::size_t i, const token_bucket_options& options, instant now);

  // Other bandwidths and another lag from now on; what is the same stays as it is. More of them: the new ones start full.
  // Throws: std::invalid_argument; nothing is changed then.
  void reconfigure(std::span<const token_bucket_options> options, instant now, duration lag);

  std::size_t count() const { return count_; }
  duration lag() const { return lag_; }
  const token_bucket& bucket(std::size_t i) const { return *held_[i].bucket; }
  token_bucket::level level(std::size_t i) const { return held_[i].level; }
  void set_level(std::size_t i, token_bucket::level l) { held_[i].level = l; }

 private:
  struct held {
    std::optional<token_bucket> bucket{};
    token_bucket::level level = 0;
    token_bucket::level floor = 0;  // the level of an empty bucket when it was last drained
    token_bucket::units slack = 0;
  };

  std::span<held> all() { return {held_.data(), count_}; }
  std::span<const held> all() const { return {held_.data(), count_}; }
  template <class Take>
  bool take_all(double tokens, const Take& take_one);
  token_bucket::units slack_of(const token_bucket& b) const;

  std::array<held, most> held_{};
  std::size_t count_;
  duration lag_;
  instant drained_until_ = instant::min();
};

}  // namespace dspu::core
