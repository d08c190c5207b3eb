// replay_traces FILE...: what the reference did, replayed in virtual time against the public API.
//
// Each line of a file is a scenario; its kind is the file's stem (rate_limiter.jsonl, …). Exit code 0 only if
// no answer differed by more than a microsecond. Where the library differs on purpose, the divergence is
// listed by its name with a count, and the scenario is compared with the divergence taken into account.
#include "traces/replay.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace dspu::traces {

namespace {

using replay_function = comparison (*)(const json::object&);

const std::map<std::string, replay_function> kinds{{"rate_limiter", replay_rate_limiter},
                                                   {"circuit_breaker", replay_circuit_breaker},
                                                   {"gather_with_limit", replay_gather_with_limit},
                                                   {"run_with_timeout", replay_run_with_timeout}};

struct tally {
  std::size_t scenarios = 0;
  std::size_t mismatches = 0;
  std::map<std::string, std::size_t> divergences;
  std::string report;

  void add(std::size_t line, const comparison& c) {
    ++scenarios;
    mismatches += c.mismatches().size();
    if (!c.divergence.empty()) ++divergences[c.divergence];
    for (const auto& m : c.mismatches()) {
      report += "  line " + std::to_string(line) + ": " + m.what + ": expected " + m.expected + ", got " +
                m.actual + "\n";
    }
  }
  void add_unreadable(std::size_t line, const char* why) {
    ++scenarios;
    ++mismatches;
    report += "  line " + std::to_string(line) + ": expected a scenario, got an error: " + why + "\n";
  }
};

// True if nothing differed.
bool replay_file(const std::string& path) {
  const auto kind = kinds.find(std::filesystem::path(path).stem().string());
  if (kind == kinds.end()) {
    std::fprintf(
        stderr,
        "%s: the file's stem must be rate_limiter, circuit_breaker, gather_with_limit or run_with_timeout\n",
        path.c_str());
    return false;
  }
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    return false;
  }
  tally t;
  std::size_t line = 0;
  for (std::string text; std::getline(file, text);) {
    ++line;
    if (text.empty()) continue;
    try {
      t.add(line, kind->second(json::parse(text).as_object()));
    } catch (const std::exception& e) {
      t.add_unreadable(line, e.what());
    }
  }
  std::printf("%s: %zu scenarios, %zu mismatches\n%s", path.c_str(), t.scenarios, t.mismatches,
              t.report.c_str());
  for (const auto& [name, count] : t.divergences) {
    std::printf("  divergence %s: %zu scenarios\n", name.c_str(), count);
  }
  if (t.scenarios == 0) std::fprintf(stderr, "%s: holds no scenario\n", path.c_str());
  return t.mismatches == 0 && t.scenarios > 0;
}

}  // namespace

}  // namespace dspu::traces

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: replay_traces FILE...\n", stderr);
    return 2;
  }
  bool all_hold = true;
  for (int i = 1; i < argc; ++i) all_hold = dspu::traces::replay_file(argv[i]) && all_hold;
  return all_hold ? 0 : 1;
}
