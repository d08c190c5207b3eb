// What a key takes: memory, looking up one that is there, making one, and finding one to forget. Prints
// Markdown.
#include "measure.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/keyed.hpp"
#include "dspu/aio/rate_limiter.hpp"

#include <cstdlib>
#include <string>
#include <vector>

namespace dspu::bench {
namespace {

std::vector<std::string> hosts(std::size_t n, const char* domain) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back("host-" + std::to_string(i) + "." + domain);
  return all;
}

template <class Keyed>
sample touch(Keyed& all, const std::vector<std::string>& keys) {
  meter m(static_cast<std::int64_t>(keys.size()));
  for (const auto& key : keys) keep(&*all.get(key));
  return m.end();
}

// All policies are taken but for what `use` does to each.
template <class Policy, class Use>
void keys(const char* name, const typename Policy::options_type& options, std::size_t n, Use use) {
  const auto first = hosts(n, "example.com");
  const auto others = hosts(n, "example.net");
  aio::keyed<Policy> all{options, {.max_keys = n}};
  const sample made = touch(all, first);
  touch(all, first);
  const sample found = touch(all, first);
  const sample replaced = touch(all, others);
  if (all.size() != n) std::abort();

  for (const auto& key : others) use(*all.get(key));
  constexpr int tries = 10;
  meter m(tries);
  for (int i = 0; i < tries; ++i) {
    try {
      all.get("nowhere");
      std::abort();
    } catch (const aio::too_many_keys_error&) {
    }
  }
  const sample refused = m.end();
  std::printf("| %s | %zu | %.0f | %.1f | %.0f | %.0f | %.0f | %.1f |\n", name, n, made.bytes,
              made.allocations, found.ns, made.ns, replaced.ns, refused.ns / 1e3);
  std::fflush(stdout);
}

}  // namespace
}  // namespace dspu::bench

int main() {
  using namespace dspu;
  std::printf(
      "Keys are strings of 20 to 25 characters. A new key forgets one of the old where all are taken; where "
      "all are in use, it\n"
      "looks at each of them before it is refused.\n\n"
      "| policy | keys | bytes allocated a key | allocations | find ns | make ns | "
      "forget and make ns | "
      "refuse us |\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
  for (const std::size_t n : {1'000, 10'000, 100'000}) {
    bench::keys<aio::rate_limiter>("rate_limiter", {.rate = 1, .per = std::chrono::hours{24}}, n,
                                   [](aio::rate_limiter& l) { l.try_acquire(); });
    bench::keys<aio::circuit_breaker>("circuit_breaker", {}, n, [](aio::circuit_breaker& b) { b.isolate(); });
  }
}
