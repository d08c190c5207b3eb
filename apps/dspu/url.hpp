// What the engine needs to know about a URL: is it one, whose limits does it obey, where does a redirect
// lead.
#pragma once

#include <string>
#include <string_view>

namespace dspu::app {

// `text` as an absolute http or https URL, fit for the wire: scheme and host in small letters, characters
// that a URL may not hold (umlauts, |, {) percent-encoded after the host, the fragment dropped. Throws:
// std::invalid_argument saying what is wrong with it.
std::string normalize_url(std::string_view text);

// "https://example.com" or "http://example.com:8080": scheme, host and port, the scheme's own port left out.
// Requires: `url` came from normalize_url.
std::string origin_of(std::string_view url);

// "example.com:8080": the origin without its scheme.
std::string_view host_of(std::string_view origin);

// Where a Location header leads from `base`. Throws: std::invalid_argument, as normalize_url.
std::string resolve_location(std::string_view base, std::string_view location);

}  // namespace dspu::app
