// Metrics by their labels, found without a lock: open addressing over slots that are only ever filled.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::prometheus {

struct series_key {
  const void* family;
  std::string_view first;  // the values of two labels
  std::string_view second;

  std::size_t hash() const {
    const std::hash<std::string_view> of;
    auto h = std::hash<const void*>{}(family);
    h = h * 31 + of(first);
    return h * 31 + of(second);
  }
};

template <class Value>
class series_table {
 public:
  // Room for `most` entries; at most three in four slots are used, so that a search ends soon.
  explicit series_table(std::size_t most) : most_(most), slots_(slots_for(most)) {}

  // What stands under that key; if nothing does, what make(key) gives, or null once it is full.
  template <class Make>
  Value* find(const series_key& key, const Make& make) {
    const auto hash = key.hash();
    if (auto* found = look(key, hash).found) return found;
    const std::lock_guard lock(mutex_);
    const auto spot = look(key, hash);
    if (spot.found != nullptr || entries_.size() >= most_) return spot.found;
    auto added = std::make_unique<entry>(key, hash);
    added->value = make(key);
    spot.slot->store(added.get(), std::memory_order_release);
    return entries_.emplace_back(std::move(added))->value;
  }

 private:
  struct entry {
    entry(const series_key& k, std::size_t h) : hash(h), family(k.family), first(k.first), second(k.second) {}
    bool is(const series_key& k, std::size_t h) const {
      return hash == h && family == k.family && first == k.first && second == k.second;
    }
    std::size_t hash;
    const void* family;
    std::string first;
    std::string second;
    Value* value = nullptr;
  };
  struct place {
    std::atomic<entry*>* slot;  // where it stands, or the free one where it would
    Value* found;
  };

  static std::size_t slots_for(std::size_t most) {
    std::size_t n = 8;
    while (n * 3 < most * 4) n *= 2;
    return n;
  }
  place look(const series_key& key, std::size_t hash) {
    for (std::size_t i = hash;; ++i) {
      auto& slot = slots_[i & (slots_.size() - 1)];
      const entry* e = slot.load(std::memory_order_acquire);
      if (e == nullptr) return {&slot, nullptr};
      if (e->is(key, hash)) return {&slot, e->value};
    }
  }

  const std::size_t most_;
  std::vector<std::atomic<entry*>> slots_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<entry>> entries_;
};

}  // namespace dspu::prometheus
