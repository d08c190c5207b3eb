// The values of `dspu serve`'s options that parse.hpp does not know.
//
// As there, each function throws std::invalid_argument that quotes the text and says what is accepted.
#pragma once

#include "dspu/serve_options.hpp"

#include <string_view>
#include <vector>

namespace dspu::app {

// "20ms" is constant; "p50=20ms" is lognormal, "uniform,p50=20ms" and "exponential,p50=20ms" are those.
latency_spec parse_latency(std::string_view text);

// "10s+5s": from ten seconds after the start for five seconds, refusing connections; "10s+5s:503" answers 503
// meanwhile. Several are separated by commas.
std::vector<outage_window> parse_outages(std::string_view text);

// "100/s", "100/s,burst=20".
request_limit parse_request_limit(std::string_view text);

// "503" or "500,503".
std::vector<unsigned> parse_statuses(std::string_view text);

}  // namespace dspu::app
