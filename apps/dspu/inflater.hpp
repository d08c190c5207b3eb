// Inflates a gzip or deflate body as it comes, in bounded pieces.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>

namespace dspu::app {

// The compressed bytes are corrupt, or end too early.
class inflate_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class inflater {
 public:
  enum class format { gzip, deflate };
  using receiver = std::function<void(std::span<const char>)>;

  inflater();
  ~inflater();
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;

  // Begins a new body; the memory of the one before is used again.
  void reset(format f);

  // Hands what `compressed` gives to `out`, at most 16 KiB at a time: whoever throws in there stops a bomb.
  // Throws: inflate_error, and what `out` throws.
  void write(std::string_view compressed, const receiver& out);

  // The body has ended. `may_be_empty`: a body of no bytes is whole. Throws: inflate_error if it is not.
  void finish(bool may_be_empty = true);

 private:
  struct stream;
  void start(unsigned char first_byte);

  std::unique_ptr<stream> stream_;
};

}  // namespace dspu::app
