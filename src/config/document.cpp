#include "document.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace dspu::config {

namespace {

namespace json = boost::json;
using boost::system::error_code;

constexpr std::size_t longest = std::size_t{1} << 20;
constexpr std::size_t deepest = 16;

// Builds the tree from what the parser tells. The parser is fed character by character, so that it is known where each
// token began.
class builder {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  // Where the token under way began.
  std::size_t token = 0;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return open(node::type::object); }
  bool on_object_end(std::size_t, error_code&) { return close(); }
  bool on_array_begin(error_code&) { return open(node::type::array); }
  bool on_array_end(std::size_t, error_code&) { return close(); }
  bool on_key_part(json::string_view s, std::size_t, error_code&) { return collect(s); }
  bool on_key(json::string_view s, std::size_t, error_code&) {
    collect(s);
    open_.back().members.push_back({std::exchange(collected_, {}), token, {}});
    return true;
  }
  bool on_string_part(json::string_view s, std::size_t, error_code&) { return collect(s); }
  bool on_string(json::string_view s, std::size_t, error_code&) {
    collect(s);
    return take(scalar(node::type::string));
  }
  bool on_number_part(json::string_view s, error_code&) { return collect(s); }
  bool on_int64(std::int64_t, json::string_view s, error_code&) { return number(s); }
  bool on_uint64(std::uint64_t, json::string_view s, error_code&) { return number(s); }
  bool on_double(double, json::string_view s, error_code&) { return number(s); }
  bool on_bool(bool b, error_code&) {
    node n = scalar(node::type::boolean);
    n.truth = b;
    return take(std::move(n));
  }
  bool on_null(error_code&) { return take(scalar(node::type::null)); }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

  node root;

 private:
  bool collect(json::string_view s) {
    collected_.append(s.data(), s.size());
    return true;
  }
  bool number(json::string_view s) {
    collect(s);
    return take(scalar(node::type::number));
  }
  node scalar(node::type t) {
    node n;
    n.is = t;
    n.text = std::exchange(collected_, {});
    n.offset = token;
    return n;
  }
  bool open(node::type t) {
    open_.push_back(scalar(t));
    return true;
  }
  bool close() {
    node n = std::move(open_.back());
    open_.pop_back();
    return take(std::move(n));
  }
  bool take(node n) {
    if (open_.empty()) {
      root = std::move(n);
    } else if (open_.back().is == node::type::array) {
      open_.back().items.push_back(std::move(n));
    } else {
      open_.back().members.back().value = std::move(n);
    }
    return true;
  }

  std::string collected_;
  std::vector<node> open_;
};

// Where tokens begin, in text that is JSON so far.
class token_starts {
 public:
  // Whether a token begins with this character.
  bool next(char c) {
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      return false;
    }
    const bool word = std::string_view(" \t\r\n,:[]{}\"").find(c) == std::string_view::npos;
    const bool begins = c == '"' || c == '[' || c == '{' || (word && !in_word_);
    in_word_ = word;
    in_string_ = c == '"';
    return begins;
  }

 private:
  bool in_string_ = false;
  bool escaped_ = false;
  bool in_word_ = false;
};

}  // namespace

const node* node::find(std::string_view key) const {
  const auto it = std::ranges::find(members, key, &member::key);
  return it == members.end() ? nullptr : &it->value;
}

problem text_position::at(std::size_t offset, std::string pointer, std::string what) const {
  const std::string_view before = text_.substr(0, offset);
  const auto line_start = before.rfind('\n');
  return {std::move(pointer), static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1,
          line_start == std::string_view::npos ? before.size() + 1 : before.size() - line_start, std::move(what)};
}

std::optional<node> parse_document(std::string_view text, std::vector<problem>& problems) {
  const text_position where(text);
  if (text.size() > longest) {
    problems.push_back({"", 0, 0, "is longer than 1 MiB"});
    return std::nullopt;
  }
  json::parse_options options;
  options.max_depth = deepest;
  json::basic_parser<builder> parser(options);
  token_starts starts;
  error_code error;
  for (std::size_t i = 0; i <= text.size() && !error; ++i) {
    const bool more = i < text.size();
    // What ends a number never begins a token, so a number is told of while `token` is still its own.
    if (more && starts.next(text[i])) parser.handler().token = i;
    const std::size_t used = more ? parser.write_some(true, &text[i], 1, error)
                                  : parser.write_some(false, nullptr, 0, error);
    if (!error && more && used == 0) error = json::error::extra_data;
    if (error) {
      problems.push_back(where.at(i, "", "is not JSON: " + error.message()));
      return std::nullopt;
    }
  }
  return std::move(parser.handler().root);
}

std::string excerpt(const node& n) {
  constexpr std::size_t most = 60;
  std::string text;
  switch (n.is) {
    case node::type::null: return "null";
    case node::type::boolean: return n.truth ? "true" : "false";
    case node::type::number: text = n.text; break;
    case node::type::string: text = json_quoted(n.text); break;
    case node::type::array: return n.items.empty() ? "[]" : "a list";
    case node::type::object: return n.members.empty() ? "{}" : "an object";
  }
  if (text.size() <= most) return text;
  std::size_t cut = most;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;  // not within a character
  return text.substr(0, cut) + "…";
}

std::string escaped(std::string_view key) {
  std::string text;
  for (const char c : key) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

std::string json_quoted(std::string_view text) { return json::serialize(json::string_view(text.data(), text.size())); }

}  // namespace dspu::config
