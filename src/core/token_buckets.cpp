#include "dspu/core/token_buckets.hpp"

#include <algorithm>
#include <cmath>

namespace dspu::core {

namespace {

using units = token_bucket::units;
constexpr double most_units = 0x1p61;

// `n` units of `from` in units of `to`, rounded down. Units are powers of two.
__int128 convert(units n, const token_bucket& from, const token_bucket& to) {
  const int shift = std::ilogb(from.granularity()) - std::ilogb(to.granularity());
  return shift >= 0 ? static_cast<__int128>(n) << shift : static_cast<__int128>(n) >> -shift;
}

}  // namespace

token_buckets::amount& token_buckets::amount::operator+=(const amount& other) {
  for (std::size_t i = 0; i < most; ++i) units[i] += other.units[i];
  return *this;
}

token_buckets::amount& token_buckets::amount::operator-=(const amount& other) {
  for (std::size_t i = 0; i < most; ++i) units[i] -= other.units[i];
  return *this;
}

token_buckets::token_buckets(std::span<const token_bucket_options> options, instant start, duration lag)
    : count_(options.size()), lag_(lag) {
  for (std::size_t i = 0; i < count_; ++i) {
    held_[i].bucket.emplace(options[i], start);
    held_[i].slack = slack_of(*held_[i].bucket);
  }
}

units token_buckets::slack_of(const token_bucket& b) const {
  const double tokens =
      b.rate() * std::chrono::duration<double>(lag_) / std::chrono::duration<double>(b.per());
  return static_cast<units>(std::min(tokens / b.granularity(), most_units));
}

double token_buckets::capacity() const {
  double least = held_[0].bucket->capacity();
  for (const held& h : all()) least = std::min(least, h.bucket->capacity());
  return least;
}

double token_buckets::available(instant now) const {
  double least = held_[0].bucket->available(held_[0].level, now);
  for (const held& h : all()) least = std::min(least, h.bucket->available(h.level, now));
  return least;
}

bool token_buckets::full(instant now) const {
  return std::ranges::all_of(all(), [now](const held& h) { return h.level <= h.bucket->made(now); });
}

token_buckets::amount token_buckets::amount_of(double tokens) const {
  amount a;
  for (std::size_t i = 0; i < count_; ++i) a.units[i] = held_[i].bucket->units_of(tokens);
  return a;
}

instant token_buckets::ready_at(const amount& a) const {
  instant ready = instant::min();
  for (std::size_t i = 0; i < count_; ++i) {
    ready = std::max(ready, held_[i].bucket->ready_at(held_[i].level, a.units[i]));
  }
  return ready;
}

template <class Take>
bool token_buckets::take_all(double tokens, const Take& take_one) {
  std::array<token_bucket::level, most> next{};
  for (std::size_t i = 0; i < count_; ++i) {
    const auto taken = take_one(held_[i], held_[i].bucket->units_of(tokens));
    if (!taken) return false;
    next[i] = *taken;
  }
  for (std::size_t i = 0; i < count_; ++i) held_[i].level = next[i];
  return true;
}

bool token_buckets::take(double tokens, instant now) {
  return take_all(tokens, [now](const held& h, units n) { return h.bucket->take(h.level, n, now); });
}

bool token_buckets::take_queued(double tokens, instant now) {
  return take_all(tokens,
                  [now](const held& h, units n) { return h.bucket->take_queued(h.level, n, now, h.slack); });
}

bool token_buckets::take_since(double tokens, instant since, instant now) {
  const instant due = std::max(ready_at(amount_of(tokens)), since);
  return due <= now && take(tokens, due);
}

void token_buckets::take_ahead(double tokens, instant now) {
  for (held& h : all()) {
    const units n = h.bucket->units_of(tokens);
    if (h.level < static_cast<units>(most_units)) h.level = std::max(h.level, h.bucket->made(now)) + n;
  }
}

void token_buckets::give_back(double tokens) {
  for (held& h : all()) h.level = std::max(h.level - h.bucket->units_of(tokens), h.floor);
}

void token_buckets::drain(instant now, instant until) {
  drained_until_ = std::max({drained_until_, now, until});
  for (held& h : all()) {
    h.floor = h.bucket->made(drained_until_) + h.bucket->capacity_units();
    h.level = std::max(h.level, h.floor);
  }
}

void token_buckets::replace(std::size_t i, const token_bucket_options& options, instant now) {
  held& h = held_[i];
  const token_bucket next(options, now);
  const token_bucket& old = *h.bucket;
  const units room = old.capacity_units();
  const units there = room - std::clamp<units>(h.level - old.made(now), 0, room);
  const units full = next.capacity_units();
  const auto kept = static_cast<units>(std::min<__int128>(convert(there, old, next), full));
  h.floor = drained_until_ > now ? next.made(drained_until_) + full : 0;
  h.level = std::max(full - kept, h.floor);
  h.bucket.emplace(next);
  h.slack = slack_of(next);
}

void token_buckets::reconfigure(std::span<const token_bucket_options> options, instant now, duration lag) {
  const token_buckets fresh(options, now, lag);
  lag_ = lag;
  const std::size_t kept = std::min(count_, fresh.count_);
  count_ = fresh.count_;
  for (std::size_t i = 0; i < count_; ++i) {
    const token_bucket& wanted = *fresh.held_[i].bucket;
    if (i >= kept) {
      held& h = held_[i] = fresh.held_[i];
      if (drained_until_ > now) h.level = h.floor = wanted.made(drained_until_) + wanted.capacity_units();
      continue;
    }
    const token_bucket& is = *held_[i].bucket;
    const bool same = is.rate() == wanted.rate() && is.per() == wanted.per() && is.capacity() == wanted.capacity();
    if (!same) replace(i, options[i], now);
    held_[i].slack = slack_of(*held_[i].bucket);
  }
}

}  // namespace dspu::core
