// Every item beside its floor, with Google Benchmark: a round runs the one and then the other, and the ratio is the
// median of the rounds' ratios, so that what disturbs the machine disturbs both.
//   dspu_bench [--markdown=FILE] [--benchmark_filter=…] [--benchmark_out=FILE.json] …
#include "items.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

using dspu::bench::item;
using dspu::bench::sample;

constexpr int rounds = 15;

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return v[v.size() / 2];
}

struct row {
  const item* what;
  double floor_ns, ns, ratio, floor_allocations, allocations;
};
std::vector<row> rows;

void measure(benchmark::State& state, const item& i) {
  i.measure_floor(i.operations / 10);
  i.measure(i.operations / 10);
  std::vector<double> floors, ours, ratios;
  sample f, o;
  for ([[maybe_unused]] auto _ : state) {
    f = i.measure_floor(i.operations);
    o = i.measure(i.operations);
    floors.push_back(f.ns);
    ours.push_back(o.ns);
    ratios.push_back(o.ns / f.ns);
    state.SetIterationTime(o.ns * static_cast<double>(i.operations) / 1e9);
  }
  rows.push_back({&i, median(floors), median(ours), median(ratios), f.allocations, o.allocations});
  const auto& r = rows.back();
  state.counters["floor_ns"] = r.floor_ns;
  state.counters["ns"] = r.ns;
  state.counters["ratio"] = r.ratio;
  state.counters["target"] = i.target;
  state.counters["floor_allocs"] = r.floor_allocations;
  state.counters["allocs"] = r.allocations;
}

void write_markdown(const char* path) {
  std::ofstream out(path);
  char line[512];
  out << "| item | floor | floor ns | ns | ratio | target | allocs (floor) |\n|---|---|--:|--:|--:|--:|--:|\n";
  for (const auto& r : rows) {
    char target[16] = "";
    if (r.what->target > 0) std::snprintf(target, sizeof target, "%.2f", r.what->target);
    std::snprintf(line, sizeof line, "| %.*s | %.*s | %.4g | %.4g | %.2f | %s | %.2f (%.2f) |\n",
                  static_cast<int>(r.what->name.size()), r.what->name.data(), static_cast<int>(r.what->floor.size()),
                  r.what->floor.data(), r.floor_ns, r.ns, r.ratio, target, r.allocations, r.floor_allocations);
    out << line;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* markdown = nullptr;
  std::vector<char*> rest;
  constexpr const char* option = "--markdown=";
  for (int i = 0; i < argc; ++i) {
    if (std::strncmp(argv[i], option, std::strlen(option)) == 0) {
      markdown = argv[i] + std::strlen(option);
    } else {
      rest.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(rest.size());
  for (const auto& i : dspu::bench::items()) {
    benchmark::RegisterBenchmark(std::string(i.name).c_str(), [&i](benchmark::State& s) { measure(s, i); })
        ->Iterations(rounds)
        ->UseManualTime();
  }
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  if (markdown != nullptr) write_markdown(markdown);
}
