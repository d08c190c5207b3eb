// --output-name: what the files of --save are called.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

// A pattern of text and fields. The text may have slashes, for directories; the fields' values have none, and
// no part of a name is "..", so a name leads nowhere but below the directory of --save. Fields:
//   {id}        the request's id; what a file name cannot hold is replaced, and then a fingerprint follows
//   {n}         its number in the input, with at least 8 digits
//   {host}      host_port; the port only where the URL has one
//   {path}      path and query, without the first slash
//   {basename}  the last part of the path, "index" if it ends with a slash
//   {ext}       .html, .gz, .tar.gz, from the end of {basename}; nothing if it has none
// In values everything but letters and digits of ASCII and - . _ % becomes _.
class output_name {
 public:
  // With it no two ids have the same name: {id} has no @.
  static constexpr std::string_view usual = "{id}@{host}_{path}";

  // Throws: std::invalid_argument saying what is wrong with the pattern.
  explicit output_name(std::string_view pattern = usual);

  // The name for a request. Each part between slashes has 1 to 240 bytes.
  std::string expand(std::string_view id, std::uint64_t n, std::string_view url) const;

  // Whether the name tells whose it is: what exists under it is of an earlier run of this request.
  bool tells_ids_apart() const { return tells_ids_apart_; }
  bool has_directories() const { return has_directories_; }

 private:
  enum class field { text, id, n, host, path, basename, ext };
  struct piece {
    field what = field::text;
    std::string text{};
  };

  void add_text(std::string_view text);
  void add_field(std::string_view name);

  std::vector<piece> pieces_;
  bool tells_ids_apart_ = false;
  bool has_directories_ = false;
};

}  // namespace dspu::app
