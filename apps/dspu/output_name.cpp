#include "dspu/output_name.hpp"

#include "dspu/digest.hpp"
#include "dspu/request_url.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace dspu::app {

namespace {

constexpr std::size_t longest_id = 64;
constexpr std::size_t longest_value = 120;
constexpr std::size_t longest_part = 240;  // leaves room for ".part" in the 255 of file systems
constexpr std::size_t longest_extension = 10;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_safe(char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '%'; }

std::string clean(std::string_view text) {
  std::string value(text);
  std::ranges::replace_if(value, [](char c) { return !is_safe(c); }, '_');
  if (value.starts_with('.')) value.front() = '_';
  return value;
}

std::string cut(std::string value) {
  value.resize(std::min(value.size(), longest_value));
  return value;
}

// Different ids have different values: what replacing and cutting lose is in the fingerprint.
std::string id_value(std::string_view id) {
  std::string value = clean(id);
  if (value == id && id.size() <= longest_id) return value;
  value.resize(std::min(value.size(), longest_id));
  value += '~';
  append_short_hex(value, digest_of({id}));
  return value;
}

std::string number_value(std::uint64_t n) {
  std::string value = std::to_string(n);
  if (value.size() < 8) value.insert(0, 8 - value.size(), '0');
  return value;
}

std::string_view without_fragment(std::string_view url) { return url.substr(0, url.find('#')); }

std::string_view host_of(std::string_view url) {
  std::string_view front = url.substr(0, authority_end(url));
  if (const std::size_t slashes = front.find("//"); slashes != front.npos) front.remove_prefix(slashes + 2);
  // A password has no business in a file name.
  if (const std::size_t at = front.rfind('@'); at != front.npos) front.remove_prefix(at + 1);
  return front;
}

std::string_view path_of(std::string_view url) {
  std::string_view path = without_fragment(url.substr(authority_end(url)));
  if (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

std::string_view basename_of(std::string_view url) {
  std::string_view path = path_of(url);
  path = path.substr(0, path.find('?'));
  path.remove_prefix(path.rfind('/') + 1);  // npos + 1 is 0
  return path.empty() ? "index" : path;
}

std::string_view extension_of(std::string_view basename) {
  const std::size_t dot = basename.rfind('.');
  if (dot == basename.npos || dot == 0) return {};
  const std::string_view letters = basename.substr(dot + 1);
  if (letters.empty() || letters.size() > longest_extension || !std::ranges::all_of(letters, is_alphanumeric))
    return {};
  constexpr std::string_view tar = ".tar";
  const bool of_tar = basename.substr(0, dot).ends_with(tar) && dot > tar.size();
  return basename.substr(of_tar ? dot - tar.size() : dot);
}

std::string basename_value(std::string_view url) {
  const std::string_view whole = basename_of(url);
  if (whole.size() <= longest_value) return clean(whole);
  const std::string_view extension = extension_of(whole);
  return clean(whole.substr(0, longest_value - extension.size())) + std::string(extension);
}

bool is_part_suffix(std::string_view name) {
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.remove_suffix(1);
  return name.ends_with(".part");
}

// Between two slashes.
std::string finished_part(std::string_view part) {
  std::string name(part.substr(0, longest_part));
  while (name.ends_with('_') || name.ends_with('.')) name.pop_back();
  // Names that end in .part are those of files that are not whole yet.
  if (name.empty() || is_part_suffix(name)) name += '_';
  return name;
}

[[noreturn]] void refuse(std::string_view pattern, const std::string& why) {
  throw std::invalid_argument("'" + std::string(pattern) + "' " + why);
}

void check_text(std::string_view pattern) {
  const bool controls = std::ranges::any_of(pattern, [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (controls) refuse(pattern, "has a control character");
  if (pattern.starts_with('/'))
    refuse(pattern, "begins with a slash; names are below the directory of --save");
  if (pattern.ends_with('/')) refuse(pattern, "ends with a slash, as a directory does");
  const std::string whole = "/" + std::string(pattern) + "/";
  for (const std::string_view wrong : {"//", "/./", "/../"}) {
    if (whole.find(wrong) != whole.npos) refuse(pattern, "has a part that is empty, . or ..");
  }
}

}  // namespace

output_name::output_name(std::string_view pattern) : tells_ids_apart_(pattern == usual) {
  if (pattern.empty()) throw std::invalid_argument("a name must not be empty");
  check_text(pattern);
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::size_t brace = rest.find_first_of("{}");
    add_text(rest.substr(0, brace));
    if (brace == rest.npos) return;
    rest.remove_prefix(brace);
    const std::size_t end = rest.find('}');
    if (rest.front() == '}' || end == rest.npos) refuse(pattern, "has a brace without the other");
    add_field(rest.substr(0, end + 1));
    rest.remove_prefix(end + 1);
  }
}

void output_name::add_text(std::string_view text) {
  if (text.empty()) return;
  has_directories_ = has_directories_ || text.find('/') != text.npos;
  pieces_.push_back({field::text, std::string(text)});
}

void output_name::add_field(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, field>, 6> known{{{"{id}", field::id},
                                                                     {"{n}", field::n},
                                                                     {"{host}", field::host},
                                                                     {"{path}", field::path},
                                                                     {"{basename}", field::basename},
                                                                     {"{ext}", field::ext}}};
  const auto* found = std::ranges::find(known, name, &std::pair<std::string_view, field>::first);
  if (found == known.end())
    refuse(name, "is no field; fields are {id}, {n}, {host}, {path}, {basename} and {ext}");
  pieces_.push_back({found->second});
}

std::string output_name::expand(std::string_view id, std::uint64_t n, std::string_view url) const {
  std::string whole;
  for (const piece& each : pieces_) {
    switch (each.what) {
      case field::text:
        whole += each.text;
        break;
      case field::id:
        whole += id_value(id);
        break;
      case field::n:
        whole += number_value(n);
        break;
      case field::host:
        whole += cut(clean(host_of(url)));
        break;
      case field::path:
        whole += cut(clean(path_of(url)));
        break;
      case field::basename:
        whole += basename_value(url);
        break;
      case field::ext:
        whole += extension_of(basename_of(url));
        break;
    }
  }
  std::string name;
  for (std::string_view rest = whole;;) {
    const std::size_t slash = rest.find('/');
    name += finished_part(rest.substr(0, slash));
    if (slash == rest.npos) return name;
    name += '/';
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace dspu::app
