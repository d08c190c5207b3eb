#include "dspu/plan.hpp"

#include "dspu/format.hpp"
#include "dspu/pacer.hpp"
#include "dspu/request_url.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace dspu::app {

std::chrono::nanoseconds least_time(std::uint64_t requests, const rate_spec& rate) {
  const double after_burst = static_cast<double>(requests) - burst_of(rate);
  if (after_burst <= 0) return std::chrono::nanoseconds::zero();
  const double nanoseconds = after_burst / rate.amount * static_cast<double>(rate.per.count());
  return nanoseconds < 9e18 ? std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds))
                            : std::chrono::nanoseconds::max();
}

void plan::add(const input_item& item) {
  if (!item.problem.empty()) {
    problems_.push_back(item.problem);
    return;
  }
  origin_plan& origin = origins_[parse_url(item.request.url).server.to_string()];
  ++requests_;
  ++origin.requests;
  ++origin.methods[item.request.method];
}

std::string plan::to_text(const fetch_options& options) const {
  std::vector<std::pair<std::string, origin_plan>> sorted(origins_.begin(), origins_.end());
  // Most requests first, then by name. (Not stable_sort: libstdc++ 12 builds it on what clang calls
  // deprecated.)
  std::ranges::sort(sorted, [](const auto& a, const auto& b) {
    return std::tie(b.second.requests, a.first) < std::tie(a.second.requests, b.first);
  });
  std::string text = std::to_string(requests_) + " requests to " + std::to_string(sorted.size()) +
                     " origins, " + std::to_string(problems_.size()) + " lines wrong\n";
  std::chrono::nanoseconds longest{};
  for (const auto& [name, origin] : sorted) {
    text += "  " + name + "  " + std::to_string(origin.requests) + " (";
    std::string methods;
    for (const auto& [method, count] : origin.methods) {
      methods += (methods.empty() ? "" : ", ") + method + " " + std::to_string(count);
    }
    text += methods + "), " + (options.adaptive_concurrency ? "up to " : "") +
            std::to_string(most_per_origin(options)) + " at once";
    if (options.host_rate) {
      const auto least = least_time(origin.requests, *options.host_rate);
      longest = std::max(longest, least);
      text += ", at least " + format_duration(least) + " at --host-rate";
    }
    text += "\n";
  }
  if (options.rate) {
    const auto least = least_time(requests_, *options.rate);
    longest = std::max(longest, least);
    text += "  all together at least " + format_duration(least) + " at --rate\n";
  }
  if (longest > std::chrono::nanoseconds::zero())
    text += "The limits alone take " + format_duration(longest) + ".\n";
  return text;
}

}  // namespace dspu::app
