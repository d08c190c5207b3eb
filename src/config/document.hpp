// A JSON text as a tree that knows where everything stood, duplicate keys included.
#pragma once

#include "dspu/config/error.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::config {

struct member;

struct node {
  enum class type { null, boolean, number, string, array, object };

  type is = type::null;
  bool truth = false;
  std::string text;  // of a string, its characters; of a number, as it is written
  std::vector<node> items;
  std::vector<member> members;
  std::size_t offset = 0;

  // The first member of that name, or null.
  const node* find(std::string_view key) const;
};

struct member {
  std::string key;
  std::size_t offset = 0;  // of the key
  node value;
};

// Finds lines and columns.
class text_position {
 public:
  explicit text_position(std::string_view text) : text_(text) {}
  problem at(std::size_t offset, std::string pointer, std::string what) const;

 private:
  std::string_view text_;
};

// Nothing and a problem if it is not JSON. No deeper than 16 levels, no longer than 1 MiB.
std::optional<node> parse_document(std::string_view text, std::vector<problem>& problems);

// "abc", 12, [1, …] as in an error message: cut if it is long.
std::string excerpt(const node& n);

// A part of a JSON pointer.
std::string escaped(std::string_view key);
// A JSON string with its quotes.
std::string json_quoted(std::string_view text);

}  // namespace dspu::config
