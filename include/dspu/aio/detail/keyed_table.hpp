// Entries by key: sharded, bounded, and counted by who holds them.
//
// A look-up of a key that is there shares its shard's lock and counts itself as a holder. Only what nobody
// holds is ever evicted, under that lock taken alone, so that no holder can come in between. Nothing of the
// user's is called or destroyed under a lock, but is_fresh() of a policy that nobody else can reach.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace dspu::aio {

// How a key is given: a std::string's as a std::string_view, so that looking one up allocates nothing.
template <class Key>
using key_view = std::conditional_t<std::same_as<Key, std::string>, std::string_view, const Key&>;

namespace detail {

template <class Policy, class Key>
class keyed_entry {
 public:
  // `make(key)` gives the policy or what it is made from.
  template <class Make>
  keyed_entry(Key k, const Make& make) : key(std::move(k)), policy(make(key)) {}

  // Whether a new entry could stand in its place: nobody but the table holds it, and nobody can tell it from
  // a new one.
  bool evictable() const {
    return holders_.load(std::memory_order_acquire) == 1 && policy.revision() == revision_.load() &&
           policy.is_fresh();
  }
  // Its options are now those that a new entry would have.
  void is_up_to_date() { revision_.store(policy.revision()); }

  const Key key;
  Policy policy;

 private:
  template <class Entry>
  friend class entry_hold;

  std::atomic<std::uint32_t> holders_{0};
  std::atomic<std::uint64_t> revision_{0};
};

template <class Entry>
class entry_hold {
 public:
  entry_hold() = default;
  explicit entry_hold(Entry* e) noexcept : entry_(e) { add(); }
  entry_hold(const entry_hold& other) noexcept : entry_(other.entry_) { add(); }
  entry_hold(entry_hold&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  entry_hold& operator=(entry_hold other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~entry_hold() {
    if (entry_ != nullptr && entry_->holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete entry_;
  }

  explicit operator bool() const { return entry_ != nullptr; }
  Entry& operator*() const { return *entry_; }
  Entry* operator->() const { return entry_; }

 private:
  void add() const {
    if (entry_ != nullptr) entry_->holders_.fetch_add(1, std::memory_order_relaxed);
  }

  Entry* entry_ = nullptr;
};

struct table_counts {
  std::size_t keys = 0;
  std::uint64_t created = 0;
  std::uint64_t evicted = 0;
  std::uint64_t exclusive_locks = 0;
};

template <class Policy, class Key, class Hash>
class keyed_table {
 public:
  using entry = keyed_entry<Policy, Key>;
  using hold = entry_hold<entry>;
  using view = key_view<Key>;
  using maker = std::function<hold(view)>;

  keyed_table(std::size_t max_keys, std::size_t shards, maker make)
      : max_keys_(max_keys), shards_(shards), maker_(std::make_shared<const maker>(std::move(make))) {}
  keyed_table(const keyed_table&) = delete;
  keyed_table& operator=(const keyed_table&) = delete;

  // The key's entry, made if it is not there; null if there is no room for it.
  hold find_or_make(view key) {
    const hashed k{key, Hash{}(key)};
    shard& home = shard_of(k);
    {
      const std::shared_lock lock(home.mutex);
      if (const auto there = home.entries.find(k); there != home.entries.end()) return *there;
    }
    return make(k, home);
  }

  // Other entries from now on.
  void replace_maker(maker make) {
    auto next = std::make_shared<const maker>(std::move(make));
    const std::lock_guard lock(maker_mutex_);
    maker_.swap(next);
  }
  hold make_apart(view key) const { return (*current_maker())(key); }

  // Calls fn(entry&) for all that are there when their shard's turn comes, without a lock.
  template <class Fn>
  void for_each(const Fn& fn) {
    for (shard& s : shards_) {
      std::vector<hold> held;
      {
        const std::shared_lock lock(s.mutex);
        held.assign(s.entries.begin(), s.entries.end());
      }
      for (const hold& h : held) fn(*h);
    }
  }

  // Never above max_keys: those about to be are counted.
  std::size_t size() const { return places_.load(std::memory_order_relaxed); }
  table_counts counts() const {
    table_counts sum{.keys = size()};
    for (const shard& s : shards_) {
      const std::shared_lock lock(s.mutex);
      sum.created += s.created;
      sum.evicted += s.evicted;
      sum.exclusive_locks += s.exclusive_locks;
    }
    return sum;
  }

 private:
  struct hashed {
    view key;
    std::size_t hash;
  };
  // Not noexcept: so the standard library keeps the hash beside each element.
  struct hash_of {
    using is_transparent = void;
    std::size_t operator()(const hashed& k) const { return k.hash; }
    std::size_t operator()(const hold& h) const { return Hash{}(h->key); }
  };
  struct same_key {
    using is_transparent = void;
    bool operator()(const hold& a, const hold& b) const { return a->key == b->key; }
    bool operator()(const hashed& a, const hold& b) const { return a.key == b->key; }
    bool operator()(const hold& a, const hashed& b) const { return a->key == b.key; }
  };

  struct alignas(64) shard {
    mutable std::shared_mutex mutex;
    std::unordered_set<hold, hash_of, same_key> entries;
    std::size_t hand = 0;  // the bucket that was last looked at for something to evict
    std::uint64_t created = 0;
    std::uint64_t evicted = 0;
    std::uint64_t exclusive_locks = 0;
  };

  // Room for one more entry, given back unless it is used.
  class place {
   public:
    explicit place(std::atomic<std::size_t>& taken) : taken_(taken) {}
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() {
      if (held_) taken_.fetch_sub(1, std::memory_order_relaxed);
    }
    explicit operator bool() const { return held_; }
    void claim(std::size_t most) {
      auto taken = taken_.load(std::memory_order_relaxed);
      while (taken < most && !held_)
        held_ = taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed);
    }
    void take_over() { held_ = true; }  // that of an entry that has gone
    void use() { held_ = false; }

   private:
    std::atomic<std::size_t>& taken_;
    bool held_ = false;
  };

  shard& shard_of(const hashed& k) {
    // The sets use the hash's low bits, and that of an integer may have no others.
    const auto mixed = static_cast<std::uint64_t>(k.hash) * 0x9e3779b97f4a7c15U;
    return shards_[static_cast<std::size_t>(mixed >> 32) % shards_.size()];
  }

  std::shared_ptr<const maker> current_maker() const {
    const std::lock_guard lock(maker_mutex_);
    return maker_;
  }

  hold make(const hashed& k, shard& home) {
    place room(places_);
    for (;;) {
      const auto how = current_maker();
      hold made = (*how)(k.key);
      hold gone;  // destroyed without the lock
      {
        const std::lock_guard lock(home.mutex);
        ++home.exclusive_locks;
        if (const auto there = home.entries.find(k); there != home.entries.end()) return *there;
        if (current_maker() != how) continue;
        if (!room) room.claim(max_keys_);
        if (!room && (gone = evict_from(home))) room.take_over();
        if (room) {
          home.entries.insert(made);
          ++home.created;
          room.use();
          return made;
        }
      }
      if (!evict_elsewhere(home, room)) return {};
    }
  }

  // Requires: the shard's lock, taken alone.
  hold evict_from(shard& s) {
    auto& entries = s.entries;
    for (auto left = entries.bucket_count(); left > 0; --left) {
      s.hand = (s.hand + 1) % entries.bucket_count();
      for (auto i = entries.begin(s.hand); i != entries.end(s.hand); ++i) {
        if (!(*i)->evictable()) continue;
        hold gone = *i;
        entries.erase(gone);
        ++s.evicted;
        return gone;
      }
    }
    return {};
  }

  bool evict_elsewhere(const shard& home, place& room) {
    for (shard& s : shards_) {
      if (&s == &home) continue;
      hold gone;
      const std::lock_guard lock(s.mutex);
      ++s.exclusive_locks;
      gone = evict_from(s);
      if (!gone) continue;
      room.take_over();
      return true;
    }
    return false;
  }

  const std::size_t max_keys_;
  std::vector<shard> shards_;
  std::atomic<std::size_t> places_{0};  // taken: entries, and those about to be
  mutable std::mutex maker_mutex_;
  std::shared_ptr<const maker> maker_;
};

}  // namespace detail

}  // namespace dspu::aio
