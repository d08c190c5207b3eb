#include "dspu/digest.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace dspu::app {

namespace {

constexpr std::uint64_t flag_bit = 1;
constexpr std::uint64_t taken_bit = 2;
constexpr std::uint64_t key_mask = ~std::uint64_t{3};

bool is_taken(const digest& slot) { return (slot.low & taken_bit) != 0; }

bool same_key(const digest& a, const digest& b) {
  return a.high == b.high && ((a.low ^ b.low) & key_mask) == 0;
}

std::uint64_t big_endian(const unsigned char* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

// One context and one fetched algorithm for the thread: fetching them costs more than the hash of a short
// text.
class hasher {
 public:
  hasher()
      : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free),
        context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    if (!algorithm_ || !context_) throw std::runtime_error("OpenSSL offers no SHA-256");
  }

  digest operator()(std::initializer_list<std::string_view> pieces) {
    bool good = EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1;
    for (const std::string_view piece : pieces) {
      const std::uint64_t size = piece.size();
      good = good && EVP_DigestUpdate(context_.get(), &size, sizeof size) == 1 &&
             EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) == 1;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    good = good && EVP_DigestFinal_ex(context_.get(), bytes.data(), nullptr) == 1;
    if (!good) throw std::runtime_error("OpenSSL failed to compute a SHA-256");
    return {big_endian(bytes.data()), big_endian(bytes.data() + 8)};
  }

 private:
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm_;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

digest digest_of(std::initializer_list<std::string_view> pieces) {
  thread_local hasher hash;
  return hash(pieces);
}

void append_short_hex(std::string& out, const digest& value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<char, 16> text{};
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = digits[value.high >> (60 - 4 * i) & 15];
  out.append(text.data(), text.size());
}

// Where the key is, or the free slot where it belongs. Requires: a free slot.
std::size_t digest_set::slot_of(digest key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = key.high & mask;
  while (is_taken(slots_[i]) && !same_key(slots_[i], key)) i = (i + 1) & mask;
  return i;
}

bool digest_set::insert(digest key, bool flag) {
  if ((size_ + 1) * 8 > slots_.size() * 7) grow();
  digest& slot = slots_[slot_of(key)];
  if (is_taken(slot)) return false;
  slot = {key.high, (key.low & key_mask) | taken_bit | (flag ? flag_bit : 0)};
  ++size_;
  return true;
}

std::optional<bool> digest_set::find(digest key) const {
  if (slots_.empty()) return std::nullopt;
  const digest& slot = slots_[slot_of(key)];
  if (!is_taken(slot)) return std::nullopt;
  return (slot.low & flag_bit) != 0;
}

void digest_set::set_flag(digest key, bool flag) {
  digest& slot = slots_[slot_of(key)];
  slot.low = (slot.low & ~flag_bit) | (flag ? flag_bit : 0);
}

void digest_set::grow() {
  std::vector<digest> old(slots_.empty() ? 64 : slots_.size() * 2);
  old.swap(slots_);
  for (const digest& slot : old) {
    if (is_taken(slot)) slots_[slot_of(slot)] = slot;
  }
}

}  // namespace dspu::app
