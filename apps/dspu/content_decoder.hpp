// Undoes a Content-Encoding: the codings in turn, the last one first, as far as they are known.
#pragma once

#include "dspu/inflater.hpp"
#include "dspu/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

// What compressed bytes unfold to between two codings is more than the limit.
class inflate_limit_error : public inflate_error {
 public:
  using inflate_error::inflate_error;
};

// The codings of all Content-Encoding lines, in the order in which they were applied; without `identity`.
std::vector<std::string_view> content_codings(const header_list& headers);

// As they stand in a header: "gzip, br".
std::string coding_list(const std::vector<std::string_view>& codings);

class content_decoder {
 public:
  // Begins a new body, of which `codings` have been applied; the memory of the one before is used again.
  // Leaves in `codings` those that are not undone, because they, or one applied after them, are unknown.
  // Throws: inflate_error if there are more layers than anybody needs.
  void reset(std::vector<std::string_view>& codings);

  bool is_active() const { return used_ > 0; }

  // Hands on what they give, in pieces of up to 16 KiB. Between two codings there may be up to `limit` bytes.
  // Requires: is_active(). Throws: inflate_error, and what `out` throws.
  void write(std::string_view bytes, std::uint64_t limit, const inflater::receiver& out);

  // The body has ended. `may_be_empty`: a body of no bytes at all is whole. Throws: inflate_error if it is
  // not.
  void finish(bool may_be_empty);

 private:
  void write_layer(std::size_t i, std::string_view bytes, std::uint64_t limit, const inflater::receiver& out);

  struct layer {
    inflater undo;
    std::uint64_t bytes = 0;  // that it gave to the next one
  };
  std::vector<std::unique_ptr<layer>> layers_;  // the first undoes what was applied last
  std::size_t used_ = 0;                        // of these
};

}  // namespace dspu::app
