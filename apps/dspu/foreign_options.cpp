#include "dspu/foreign_options.hpp"

#include <algorithm>
#include <iterator>

namespace dspu::app {

namespace {

// docs/coming-from.md says the same at more length. Options of these programs that mean the same
// here need no entry.
constexpr foreign_option known[] = {
    // curl
    {"-L", "redirects are followed anyway; --max-redirects 0 follows none"},
    {"--location", "redirects are followed anyway; --max-redirects 0 follows none"},
    {"--max-redirs", "--max-redirects N"},
    {"-f", "a status of 400 or more is a failure anyway"},
    {"--fail", "a status of 400 or more is a failure anyway"},
    {"-s", "-q prints neither progress nor summary"},
    {"--silent", "-q prints neither progress nor summary"},
    {"-Z", "requests go in parallel anyway; -j and --host-concurrency limit them"},
    {"--parallel", "requests go in parallel anyway; -j and --host-concurrency limit them"},
    {"--parallel-max", "-j N"},
    {"--retry", "--max-attempts N, which counts the first attempt too"},
    {"--retry-delay", "--base-delay TIME --backoff constant"},
    {"--retry-max-time", "--deadline TIME"},
    {"--retry-all-errors", "--retry-on LIST, and --retry-unsafe for POST"},
    {"--retry-connrefused", "--retry-on LIST with connect, which is in the default"},
    {"-m", "--timeout TIME for an attempt, --deadline TIME for a request"},
    {"-x", "--proxy URL"},
    {"-I", "-X HEAD"},
    {"--head", "-X HEAD"},
    {"--request", "-X METHOD"},
    {"-A", "-H 'User-Agent: NAME'"},
    {"--user-agent", "-H 'User-Agent: NAME'"},
    {"-e", "-H 'Referer: URL'"},
    {"--referer", "-H 'Referer: URL'"},
    {"-b", "-H 'Cookie: NAME=VALUE'"},
    {"--cookie", "-H 'Cookie: NAME=VALUE'"},
    {"--compressed", "compressed answers are asked for and inflated anyway"},
    {"-O", "--save DIR --output-name '{basename}'"},
    {"--remote-name", "--save DIR --output-name '{basename}'"},
    {"--output-dir", "--save DIR"},
    {"--max-filesize", "--max-body SIZE"},
    // wget, wget2
    {"--input-file", "-i FILE"},
    {"--output-file", "results go to -o FILE, bodies to --save DIR"},
    {"-c", "--resume with -o FILE does what is left of a run"},
    {"--continue", "--resume with -o FILE does what is left of a run"},
    {"-t", "--max-attempts N"},
    {"--tries", "--max-attempts N"},
    {"-T", "--timeout TIME for an attempt"},
    {"-w", "--host-rate 1/TIME"},
    {"--wait", "--host-rate 1/TIME, as 1/2s for two seconds"},
    {"--waitretry", "--base-delay TIME and --max-delay TIME"},
    {"-P", "--save DIR"},
    {"--directory-prefix", "--save DIR"},
    {"--max-threads", "-j N"},
    {"--max-redirect", "--max-redirects N"},
    {"--no-check-certificate", "-k"},
    {"--ca-certificate", "--cacert FILE"},
    {"--retry-on-http-error", "--retry-on LIST"},
    // aria2
    {"--max-concurrent-downloads", "-j N"},
    {"--max-connection-per-server", "--host-concurrency N"},
    {"--max-tries", "--max-attempts N"},
    {"--retry-wait", "--base-delay TIME --backoff constant"},
    {"--dir", "--save DIR"},
    {"--save-session", "--failed-to FILE"},
    {"--all-proxy", "--proxy URL"},
};

}  // namespace

std::string_view hint_for(std::string_view option) {
  const auto* found = std::ranges::find(known, option, &foreign_option::name);
  return found == std::end(known) ? std::string_view() : found->hint;
}

std::span<const foreign_option> foreign_options() { return known; }

}  // namespace dspu::app
