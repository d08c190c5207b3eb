// The pairs of commands in docs/coming-from.md: both send the same requests and leave the same files.
#include "app/temporary_directory.hpp"
#include "faults/process.hpp"
#include "faults/recording_server.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace dspu::faults {
namespace {

using namespace std::chrono_literals;
using app::testing::read_file;
using app::testing::temporary_directory;
using app::testing::write_file;

struct pair_of_commands {
  std::string theirs;
  std::string ours;
};

// The rows of tables whose second cell is a command of ours.
std::vector<pair_of_commands> pairs_in(const std::string& document) {
  const std::regex row("^\\| `(.+)` \\| `(dspu fetch .+)` \\|$");
  std::vector<pair_of_commands> found;
  std::istringstream in(document);
  std::smatch cells;
  for (std::string line; std::getline(in, line);)
    if (std::regex_match(line, cells, row)) found.push_back({cells[1], cells[2]});
  return found;
}

struct traces {
  std::multiset<std::string> requests;
  std::multiset<std::string> bodies;

  bool operator==(const traces&) const = default;
};

// What a shell command does that is run in an empty directory, on a server that is new.
traces traces_of(std::string command, const std::string& headers) {
  temporary_directory directory;
  recording_server server(headers);
  const auto localized = [&](const std::string& text) {
    return std::regex_replace(text, std::regex("127\\.0\\.0\\.1:8080"), server.address());
  };
  write_file(directory / "urls.txt", localized("http://127.0.0.1:8080/a\nhttp://127.0.0.1:8080/b\n"));
  write_file(directory / "body.json", "{\"k\":1}");
  const std::string program = std::filesystem::path(DSPU_PROGRAM).parent_path();
  const std::string shell = "unset http_proxy https_proxy all_proxy ALL_PROXY; cd '" +
                            directory.path().string() + "'; PATH='" + program + "':$PATH; exec 2> errors; " +
                            localized(command);
  process run({"/bin/bash", "-c", shell}, {.out = directory / "printed"});
  const auto status = run.wait(60s);
  EXPECT_EQ(status, 0) << command << "\n" << read_file(directory / "errors");
  traces left{server.requests(), {}};
  if (std::filesystem::exists(directory / "bodies"))
    for (const auto& file : std::filesystem::directory_iterator(directory / "bodies"))
      left.bodies.insert(file.path().filename().string() + ": " + read_file(file.path()));
  return left;
}

bool is_installed(const std::string& program) {
  process look({"/bin/bash", "-c", "command -v " + program}, {});
  return look.wait(10s) == 0;
}

// The header fields that a pair names; others are each program's own affair.
std::string headers_named_in(const std::string& ours) {
  std::string names;
  const std::regex header("-H '([^:]+):");
  for (std::sregex_iterator at(ours.begin(), ours.end(), header), end; at != end; ++at)
    names += (*at)[1].str() + ",";
  if (ours.find('@', ours.find("//")) != std::string::npos) names += "Authorization,";
  return names;
}

TEST(ComingFromWallClock, EachPairDoesTheSame) {
  const auto pairs = pairs_in(read_file(DSPU_DOCS "/coming-from.md"));
  ASSERT_GT(pairs.size(), 20U);
  std::set<std::string> missing;
  for (const pair_of_commands& pair : pairs) {
    const std::string headers = headers_named_in(pair.ours);
    const traces ours = traces_of(pair.ours, headers);
    EXPECT_FALSE(ours.requests.empty()) << pair.ours;
    std::string program = pair.theirs.substr(0, pair.theirs.find(' '));
    if (program == "xargs") program = "curl";
    if (!is_installed(program)) {
      missing.insert(program);
      continue;
    }
    const traces theirs = traces_of(pair.theirs, headers);
    EXPECT_EQ(ours.requests, theirs.requests) << pair.theirs << "\n" << pair.ours;
    EXPECT_EQ(ours.bodies, theirs.bodies) << pair.theirs << "\n" << pair.ours;
  }
  for (const std::string& program : missing)
    std::printf("%s is not installed: only our side of its pairs was run\n", program.c_str());
}

}  // namespace
}  // namespace dspu::faults
