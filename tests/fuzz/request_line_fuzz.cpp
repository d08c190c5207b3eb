// Lines of input, and what goes on the wire because of them.
//
// Input: a header for -H up to the first line feed (none if empty), then the line.
#include "dspu/outgoing_request.hpp"
#include "dspu/request_line.hpp"
#include "dspu/utf8.hpp"
#include "fuzz/claim.hpp"

#include <algorithm>
#include <cstdint>
#include <map>

namespace {

using namespace dspu::app;
using dspu::fuzz::chooser;
using dspu::fuzz::claim;

const proxy_rules no_proxy{std::string(), [](const char*) -> const char* { return nullptr; }};

std::optional<parsed_line> read(std::string_view line, const request_defaults& defaults) {
  try {
    return parse_request_line(line, defaults);
  } catch (const std::invalid_argument& error) {
    claim(*error.what() != '\0', "a refusal says why");
    return std::nullopt;
  }
}

// A list of headers as far as their order means something: that of the values of each name.
std::map<std::string, std::vector<std::string>> by_name(const header_list& headers) {
  std::map<std::string, std::vector<std::string>> sorted;
  for (const auto& [name, value] : headers) sorted[name].push_back(value);
  return sorted;
}

void check_headers(const header_list& headers) {
  for (const auto& [name, value] : headers)
    claim(!name.empty() && value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
          "a header is one line", name);
}

void check_round_trip(const parsed_line& parsed) {
  const std::string id = parsed.id.value_or("1-abc");
  const std::string text = to_request_line(id, parsed.request);
  claim(text.find('\n') == std::string::npos && is_utf8(text), "a request is one line of text", text);
  const auto again = read(text, {});
  claim(again.has_value(), "what is written can be read", text);
  claim(again->id == id, "the id comes back", text);
  claim(again->request.method == parsed.request.method, "the method comes back", text);
  claim(again->request.url == parsed.request.url, "the URL comes back", text);
  claim(by_name(again->request.headers) == by_name(parsed.request.headers), "the headers come back", text);
  claim(again->request.body == parsed.request.body, "the body comes back", text);
}

// Whatever was accepted is composed into a head that ends where it should and nowhere else: nobody's line can
// hold a second request.
void check_head(const http_request& request) {
  outgoing_request out;
  try {
    out = compose(request, no_proxy, {.user_agent = "fuzz"});
  } catch (const transport_error& error) {
    claim(false, "what has been read can be sent", error.what());
  }
  const std::size_t end = out.head.find("\r\n\r\n");
  claim(end != std::string::npos, "a head has an end", out.head);
  claim(out.head.substr(end + 4) + std::string(out.body) == request.body, "the body follows the head",
        out.head);
  const std::string_view head = std::string_view(out.head).substr(0, end);
  const auto controls = std::ranges::count_if(head, [](unsigned char c) { return c < ' ' && c != '\t'; });
  const auto line_ends = std::ranges::count(head, '\n');
  claim(controls == 2 * line_ends, "a head has no control characters but its line ends", out.head);
  const std::string_view first = head.substr(0, head.find('\r'));
  claim(first.starts_with(request.method + " /") && first.ends_with(" HTTP/1.1") &&
            std::ranges::count(first, ' ') == 2,
        "the first line is method, target and version", out.head);
  const auto most = static_cast<std::ptrdiff_t>(request.headers.size() + 6);
  claim(line_ends <= most, "each header takes a line at most", out.head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chooser input(std::string_view(reinterpret_cast<const char*>(data), size));
  request_defaults defaults;
  const std::string_view header = input.until('\n');
  try {
    if (!header.empty()) defaults.headers.push_back(parse_header(header));
  } catch (const std::invalid_argument&) {
    return 0;
  }
  const auto parsed = read(input.rest(), defaults);
  if (!parsed) return 0;
  check_headers(parsed->request.headers);
  check_round_trip(*parsed);
  check_head(parsed->request);
  return 0;
}
