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

}  // namespace dspu::app
