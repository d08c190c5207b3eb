// Short fingerprints of ids and requests, and a set that holds millions of them in 16 bytes each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

// The first 128 bits of a SHA-256: two different texts do not meet.
struct digest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const digest&) const = default;
};

// Over the pieces with their lengths, so that {"ab", "c"} and {"a", "bc"} differ.
digest digest_of(std::initializer_list<std::string_view> pieces);

// Appends the first 64 bits in hexadecimal digits.
void append_short_hex(std::string& out, const digest& value);

// A set of digests with one flag each, open addressing, at most 7/8 full.
class digest_set {
 public:
  // Returns false, and changes nothing, if the digest is there already.
  bool insert(digest key, bool flag = false);
  // The flag given at insertion; nothing if the digest is absent.
  std::optional<bool> find(digest key) const;
  // Requires: the digest is there.
  void set_flag(digest key, bool flag);
  std::size_t size() const { return size_; }

 private:
  // The lowest bit of `low` is the flag, the next one says that the slot is taken: 126 bits identify the key.
  std::vector<digest> slots_;
  std::size_t size_ = 0;

  std::size_t slot_of(digest key) const;
  void grow();
};

}  // namespace dspu::app
