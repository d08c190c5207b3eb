// Runs every item whose instructions repeat exactly a fixed number of times; under callgrind, scripts/bench compares
// what they take with budget.txt. Prints: name, allocations per operation.
#include "items.hpp"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

#include <cstdio>
#include <string>

int main() {
  constexpr std::int64_t operations = 2048;
  const auto run = [](std::string_view name, dspu::bench::work w) {
    const std::string label(name);
    w(64);  // what happens once: caches fill, services are made
    CALLGRIND_DUMP_STATS_AT("once");
    const auto s = w(operations);
    CALLGRIND_DUMP_STATS_AT(label.c_str());
    std::printf("%s\t%.2f\n", label.c_str(), s.allocations);
  };
  std::printf("operations\t%lld\n", static_cast<long long>(operations));
  for (const auto& i : dspu::bench::items()) {
    if (!i.counted) continue;
    run(std::string(i.name) + " | floor", i.measure_floor);
    run(i.name, i.measure);
  }
}
