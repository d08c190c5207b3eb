// All the input of a run: URLs from the command line, then files, then standard input, read lazily.
//
// Every request has an id. A JSON line may give its own; any other gets "N-HASH": its place in the input and
// a fingerprint of its method, URL and body. So the ids of an unchanged input are the same in every run, which
// is what --resume rests on; after a change in the middle, what follows has new ids and is done again rather
// than taken for done. Headers are not part of it: a fresh token in -H must not make finished work undone.
#pragma once

#include "dspu/digest.hpp"
#include "dspu/line_reader.hpp"
#include "dspu/request_line.hpp"
#include "dspu/request_source.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace dspu::app {

struct input_options {
  std::vector<std::string> urls{};   // arguments
  std::vector<std::string> files{};  // "-" is standard input
  request_defaults defaults{};
  std::size_t longest_line = 16 * 1024 * 1024;
};

class input final : public request_source {
 public:
  // Opens every file, so that a wrong name is known before the first request goes out.
  // Throws: usage_error naming the file.
  explicit input(input_options options);

  state next(input_item& item) override;
  boost::asio::awaitable<void> wait() override;
  std::optional<std::uint64_t> expected() const override;

 private:
  state next_line(input_item& item);
  // `where` is called for a line that is wrong.
  template <class Where>
  bool fill(input_item& item, std::string_view line, Where where);
  void accept(input_item& item, parsed_line line);
  void reject(input_item& item, std::string_view line, const std::string& problem);

  request_defaults defaults_;
  std::vector<std::string> urls_;
  std::size_t next_url_ = 0;
  std::vector<line_reader> readers_;
  std::size_t reader_ = 0;
  std::uint64_t count_ = 0;
  digest_set own_ids_;  // those that lines gave themselves
};

}  // namespace dspu::app
