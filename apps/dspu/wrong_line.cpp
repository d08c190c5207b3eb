#include "dspu/wrong_line.hpp"

#include "dspu/json_member.hpp"
#include "dspu/request_line.hpp"
#include "dspu/request_url.hpp"
#include "dspu/utf8.hpp"

#include <boost/json.hpp>

#include <stdexcept>

namespace dspu::app {

namespace {

namespace json = boost::json;

constexpr std::size_t longest_url = 2000;

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const std::size_t first = line.find_first_not_of(blanks);
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(blanks) - first + 1);
}

std::optional<json::object> as_object(std::string_view line) {
  json::error_code error;
  json::value value = json::parse({line.data(), line.size()}, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

}  // namespace

wrong_line::wrong_line(std::string_view line) {
  line = trimmed(line);
  const auto object = as_object(line);
  if (!object) {
    if (!line.starts_with('{')) url = to_utf8(redact_url(line.substr(0, longest_url)));
    return;
  }
  if (const json::value* own = object->if_contains("url"); own != nullptr && own->is_string()) {
    const json::string& text = own->get_string();
    url = to_utf8(redact_url(std::string_view(text.data(), text.size()).substr(0, longest_url)));
  }
  if (const auto own = member_text(line, "meta")) meta = *own;
  try {
    if (const json::value* own = object->if_contains("id")) id = read_id(*own);
  } catch (const std::invalid_argument&) {  // the id is what is wrong
  }
}

std::string to_mend(std::string_view line, std::string_view id) {
  const std::string_view text = trimmed(line);
  auto object = as_object(text);
  if (!object && !text.starts_with('{') && is_utf8(text)) object.emplace()["url"] = text;
  if (!object) return std::string(line);
  (*object)["id"] = id;
  return json::serialize(*object);
}

bool is_utf16(std::string_view text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return true;
  return text.size() >= 2 && (text[0] == '\0') != (text[1] == '\0');
}

}  // namespace dspu::app
