// `dspu fetch` as a process, against servers and disks that fail. Whatever happens: it ends by itself, it
// says what went wrong, and the file of results goes on from there, so that in the end every request has
// exactly one good line.
#include "app/temporary_directory.hpp"
#include "dspu/aio/trace.hpp"
#include "faults/hostile_server.hpp"
#include "faults/process.hpp"

#include <gmock/gmock.h>
#include <boost/asio.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <thread>
#include <utility>

namespace dspu::faults {
namespace {

using namespace std::chrono_literals;
using app::testing::read_file;
using app::testing::temporary_directory;
using app::testing::write_file;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto hard_limit = 20s;
constexpr int requests = 12;

struct ended {
  int status = -1;
  std::string err;
};

struct result_line {
  bool ok = false;
  std::string outcome;
  std::string error;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Every line of every file, by id. A torn line, or one that is no result, is a failure.
std::multimap<std::string, result_line> results_in(const std::vector<std::string>& files) {
  std::multimap<std::string, result_line> found;
  for (const std::string& file : files) {
    const std::string text = read_file(file);
    EXPECT_TRUE(text.empty() || text.ends_with('\n')) << file << " ends in a torn line";
    for (const std::string& line : lines_of(text)) {
      const auto value = boost::json::parse(line).as_object();
      const auto* error = value.if_contains("error");
      found.emplace(value.at("id").as_string(),
                    result_line{.ok = value.at("ok").as_bool(),
                                .outcome = std::string(value.at("outcome").as_string()),
                                .error = error ? std::string(error->as_string()) : ""});
    }
  }
  return found;
}

class FetchFaultsWallClock : public ::testing::Test {
 protected:
  void write_input(const std::string& prefix, int count = requests) {
    std::string text;
    for (int i = 0; i < count; ++i) text += prefix + std::to_string(i) + "\n";
    write_file(input, text);
  }

  // dspu fetch with these arguments, and with what suits the tests unless these say otherwise.
  static std::vector<std::string> command(const std::vector<std::string>& more) {
    const std::pair<const char*, const char*> usual[] = {
        {"--proxy", ""},      {"--max-attempts", "2"}, {"--base-delay", "5ms"},
        {"--jitter", "none"}, {"--timeout", "10s"},    {"--host-concurrency", "4"}};
    std::vector<std::string> argv{DSPU_PROGRAM, "fetch"};
    for (const auto& [name, value] : usual)
      if (std::ranges::find(more, name) == more.end()) argv.insert(argv.end(), {name, value});
    if (std::ranges::find(more, "--breaker-failures") == more.end()) argv.emplace_back("--no-breaker");
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }

  // Runs to the end, which must come by itself.
  ended fetch(const std::vector<std::string>& more, process_options how = {}) {
    if (!how.close_err) how.err = directory / "stderr";
    process run(command(more), how);
    const auto status = run.wait(hard_limit);
    ended end;
    end.err = how.close_err ? "" : read_file(how.err);
    EXPECT_TRUE(status.has_value()) << "it did not end by itself; so far:\n" << end.err;
    end.status = status.value_or(-1);
    return end;
  }

  ended fetch_to_file(const std::vector<std::string>& more = {}, const process_options& how = {}) {
    std::vector<std::string> all{"-i", input, "-o", output, "--resume", "--failed-to", failed};
    all.insert(all.end(), more.begin(), more.end());
    return fetch(all, how);
  }

  // With the trouble over: the same command does what is left, and the list of failures what failed. Then
  // every request has one line in the results, and one good line in all.
  void expect_one_good_line_each(int count = requests) {
    const ended rest = fetch_to_file();
    EXPECT_THAT(rest.status, AnyOf(0, 1)) << rest.err;
    EXPECT_EQ(static_cast<int>(results_in({output}).size()), count);
    if (rest.status == 1) {
      const ended again = fetch({"-i", failed, "-o", second_output});
      EXPECT_EQ(again.status, 0) << again.err;
    }
    const auto all = results_in({output, second_output});
    std::map<std::string, int> good;
    for (const auto& [id, line] : all) good[id] += line.ok ? 1 : 0;
    EXPECT_EQ(static_cast<int>(good.size()), count);
    for (const auto& [id, times] : good) EXPECT_EQ(times, 1) << "good lines of " << id;
  }

  temporary_directory directory;
  const std::string input = directory / "input";
  const std::string output = directory / "results.jsonl";
  const std::string failed = directory / "failed.jsonl";
  const std::string second_output = directory / "second.jsonl";
};

struct fault_row {
  const char* name;
  fault how;
  const char* outcome;  // of the requests that it hits
  const char* words;    // in their errors, and on standard error with -v
  std::vector<std::string> options{};

  friend void PrintTo(const fault_row& row, std::ostream* out) { *out << row.name; }
};

class FetchServerFaultsWallClock : public FetchFaultsWallClock,
                                   public ::testing::WithParamInterface<fault_row> {};

TEST_P(FetchServerFaultsWallClock, EndsSaysWhyAndGoesOn) {
  const fault_row& row = GetParam();
  hostile_server server;
  server.misbehave(row.how);
  write_input(server.url("/"));

  std::vector<std::string> options = row.options;
  options.emplace_back("-v");
  const ended first = fetch_to_file(options);
  EXPECT_EQ(first.status, 1) << first.err;
  EXPECT_THAT(first.err, HasSubstr(row.words));
  int hit = 0;
  for (const auto& [id, line] : results_in({output})) {
    if (line.ok) continue;
    ++hit;
    EXPECT_EQ(line.outcome, row.outcome) << id;
    EXPECT_THAT(line.error, HasSubstr(row.words)) << id;
  }
  EXPECT_EQ(hit, requests / 2);

  server.misbehave(fault::none);
  const int before = server.requests();
  expect_one_good_line_each();
  EXPECT_EQ(server.requests() - before, requests / 2) << "what was finished was not asked for again";
}

INSTANTIATE_TEST_SUITE_P(
    , FetchServerFaultsWallClock,
    ::testing::Values(fault_row{"ResetInHeader", fault::reset_in_header, "reset", "within its header"},
                      fault_row{"ResetInBody", fault::reset_in_body, "reset", "within its body"},
                      fault_row{"TruncatedBody", fault::truncated_body, "reset", "within its body"},
                      fault_row{"EndlessBody",
                                fault::endless_body,
                                "timeout",
                                "not all of the answer within 500ms (--timeout)",
                                {"--timeout", "500ms"}},
                      fault_row{"EndlessBodyOverTheLimit",
                                fault::endless_body,
                                "body_too_large",
                                "--max-body, 65536 bytes",
                                {"--max-body", "64k"}},
                      fault_row{"EndlessHeader", fault::endless_header, "protocol", "limit of 256 KiB"},
                      fault_row{"SilenceAfterConnect",
                                fault::silence,
                                "first_byte_timeout",
                                "no answer within 500ms (--first-byte-timeout)",
                                {"--first-byte-timeout", "500ms"}},
                      fault_row{"SilenceInBody",
                                fault::silence_in_body,
                                "stalled",
                                "no byte of the body came for 500ms (--stall-timeout)",
                                {"--stall-timeout", "500ms"}},
                      fault_row{"TwoContentLengths", fault::two_lengths, "protocol", "malformed"},
                      fault_row{"NoHttp", fault::no_http, "protocol", "malformed"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(FetchFaultsWallClock, TakesNoAnswerFromBytesBehindABody) {
  hostile_server server;
  server.misbehave(fault::longer_than_said);
  write_input(server.url("/"));
  const ended run = fetch_to_file({"--inline-body", "1k", "--host-concurrency", "1"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(read_file(output), Not(HasSubstr("wrong")));
  expect_one_good_line_each();
}

TEST_F(FetchFaultsWallClock, GivesUpOn429WithoutADate) {
  hostile_server server;
  server.misbehave(fault::too_many);
  write_input(server.url("/"));
  const ended run = fetch_to_file({"-v", "--no-pace"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("http_error (status 429)"));
  server.misbehave(fault::none);
  expect_one_good_line_each();
}

TEST_F(FetchFaultsWallClock, GivesUpAtOnceOn429ForDays) {
  hostile_server server;
  server.misbehave(fault::too_many_for_days);
  write_input(server.url("/"));
  const ended run = fetch_to_file({"-v"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("longer wait than --retry-after-max"));
  server.misbehave(fault::none);
  expect_one_good_line_each();
}

// What is out when the time is up leaves no line, and is done when the run goes on.
TEST_F(FetchFaultsWallClock, StopsInTheMiddleOfSilence) {
  hostile_server server;
  server.misbehave(fault::silence);
  write_input(server.url("/"));
  const ended run = fetch_to_file({"--timeout", "1m", "--max-time", "300ms"});
  EXPECT_EQ(run.status, 4) << run.err;
  EXPECT_THAT(run.err, HasSubstr("stopped after 300ms (--max-time)"));
  for (const auto& [id, line] : results_in({output})) EXPECT_TRUE(line.ok) << id;
  server.misbehave(fault::none);
  expect_one_good_line_each();
}

TEST_F(FetchFaultsWallClock, GoesOnAfterItWasKilled) {
  hostile_server server;
  write_input(server.url("/"), 3000);
  {
    process run(command({"-i", input, "-o", output, "--resume", "-q"}), {});
    const auto give_up = std::chrono::steady_clock::now() + hard_limit;
    while (server.requests() < 200 && std::chrono::steady_clock::now() < give_up)
      std::this_thread::sleep_for(1ms);
    run.signal(SIGKILL);
    EXPECT_EQ(run.wait(hard_limit), 128 + SIGKILL);
  }
  EXPECT_LT(results_in({output}).size(), 3000U) << "the test killed nobody";
  expect_one_good_line_each(3000);
}

// `dspu serve` as a process, on a port that stays the same.
class FetchFromServeWallClock : public FetchFaultsWallClock {
 protected:
  void serve(const std::vector<std::string>& options = {}) {
    std::vector<std::string> argv{DSPU_PROGRAM, "serve", "--port", port_};
    argv.insert(argv.end(), options.begin(), options.end());
    // A log of its own for each: what the one before announced says nothing about this one.
    const std::string log = directory / ("serve" + std::to_string(++servers_));
    server_ = std::make_unique<process>(argv, process_options{.err = log});
    const auto give_up = std::chrono::steady_clock::now() + hard_limit;
    const std::string announcement = "listening on ";
    std::string text;
    while (text.find(", seed") == std::string::npos) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up) << text;
      std::this_thread::sleep_for(2ms);
      text = read_file(log);
    }
    const std::size_t begin = text.find(announcement) + announcement.size();
    url_ = text.substr(begin, text.find(',') - begin);
    port_ = url_.substr(url_.rfind(':') + 1);
  }
  // As a crash would.
  void kill_server() { server_ = nullptr; }
  std::string url(const std::string& path) const { return url_ + path; }

 private:
  int servers_ = 0;
  std::string port_ = "0";
  std::string url_;
  std::unique_ptr<process> server_;
};

TEST_F(FetchFromServeWallClock, OutlivesAServerThatDiesAndReturns) {
  serve({"--latency", "20ms"});
  write_input(url("/n/"), 200);
  process run(command({"-i", input, "-o", output, "--resume", "--max-attempts", "100", "--base-delay", "50ms",
                       "--backoff", "constant", "-v"}),
              {.err = directory / "stderr"});
  std::this_thread::sleep_for(250ms);
  kill_server();
  std::this_thread::sleep_for(250ms);
  EXPECT_EQ(run.wait(0ms), std::nullopt) << "the test killed the server too late";
  serve();
  EXPECT_EQ(run.wait(hard_limit), 0) << read_file(directory / "stderr");
  EXPECT_THAT(read_file(directory / "stderr"), HasSubstr("Connection refused"));
  expect_one_good_line_each(200);
}

TEST_F(FetchFromServeWallClock, ParksItsRequestsWhileTheServerIsDead) {
  serve({"--latency", "20ms"});
  write_input(url("/n/"), 200);
  process run(command({"-i", input, "-o", output, "--resume", "--max-attempts", "20", "--breaker-failures",
                       "3", "--breaker-timeout", "200ms", "-v"}),
              {.err = directory / "stderr"});
  std::this_thread::sleep_for(250ms);
  kill_server();
  std::this_thread::sleep_for(500ms);
  serve();
  EXPECT_EQ(run.wait(hard_limit), 0) << read_file(directory / "stderr");
  EXPECT_THAT(read_file(directory / "stderr"), HasSubstr("breaker open for 200ms"));
  expect_one_good_line_each(200);
}

TEST_F(FetchFromServeWallClock, SaysThatAServerStaysDead) {
  serve({"--latency", "20ms"});
  write_input(url("/n/"), 100);
  process run(command({"-i", input, "-o", output, "--resume", "-v"}), {.err = directory / "stderr"});
  std::this_thread::sleep_for(150ms);
  kill_server();
  EXPECT_EQ(run.wait(hard_limit), 1);
  EXPECT_THAT(read_file(directory / "stderr"), HasSubstr("Connection refused"));
  serve();
  expect_one_good_line_each(100);
}

TEST_F(FetchFromServeWallClock, ObeysAStormOf429) {
  serve({"--rate", "60/s,burst=40"});
  write_input(url("/n/"), 100);
  const ended run = fetch_to_file({"--host-concurrency", "30", "--max-attempts", "30", "-v"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("by Retry-After"));
  expect_one_good_line_each(100);
}

TEST_F(FetchFromServeWallClock, GetsAllThroughEveryTroubleAtOnce) {
  serve({"--fail",         "10%",   "--reset",      "10%", "--truncate",    "10%", "--silent",        "3%",
         "--wrong-length", "5%",    "--endless",    "3%",  "--slow",        "3%",  "--slow-duration", "50ms",
         "--rate",         "400/s", "--keep-alive", "7",   "--silent-close"});
  write_input(url("/n/"), 300);
  const ended run =
      fetch_to_file({"--max-attempts", "30", "--host-concurrency", "30", "--max-body", "1M", "--timeout",
                     "1s", "--no-pace", "--retry-on", "500,503,429,connect,reset,timeout,protocol", "-v"});
  EXPECT_THAT(run.status, AnyOf(0, 1)) << run.err;  // an endless body is not retried: it is too large
  kill_server();
  serve();
  expect_one_good_line_each(300);
}

// What a browser or a Prometheus gets from http://127.0.0.1:PORT/PATH.
std::string get(const std::string& url) {
  namespace asio = boost::asio;
  const std::size_t colon = url.rfind(':');
  const std::size_t slash = url.find('/', colon);
  const auto port = static_cast<std::uint16_t>(std::stoul(url.substr(colon + 1, slash - colon - 1)));
  asio::io_context loop;
  asio::ip::tcp::socket peer(loop);
  peer.connect({asio::ip::make_address("127.0.0.1"), port});
  asio::write(peer, asio::buffer("GET " + url.substr(slash) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  std::string text;
  boost::system::error_code end;
  asio::read(peer, asio::dynamic_buffer(text), end);
  return text;
}

TEST_F(FetchFromServeWallClock, IsScrapedWhileItRuns) {
  serve({"--latency", "20ms", "--fail", "30%"});
  write_input(url("/n/"), 200);
  const std::string err = directory / "stderr";
  process run(
      command({"-i", input, "-o", output, "--metrics", "127.0.0.1:0", "--host-rate", "20/s,burst=20"}),
      {.err = err});
  const auto give_up = std::chrono::steady_clock::now() + hard_limit;
  const std::string announcement = "metrics at ";
  std::string page;
  while (page.find("outcome=\"ok\"} ") == std::string::npos ||
         page.find("dspu_retries_total") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << read_file(err) << page;
    std::this_thread::sleep_for(5ms);
    const std::string said = read_file(err);
    const std::size_t begin = said.find(announcement);
    if (begin == std::string::npos || said.find('\n', begin) == std::string::npos) continue;
    const std::size_t from = begin + announcement.size();
    page = get(said.substr(from, said.find('\n', begin) - from));
  }
  EXPECT_THAT(page, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(page, HasSubstr("dspu_attempts_total{attempt=\"first\",outcome=\"success\",pipeline=\"" +
                              url("") + "\"}"));
  EXPECT_THAT(page, HasSubstr("dspu_fetch_origins{state=\"known\"} 1"));
  EXPECT_THAT(page, HasSubstr("# TYPE dspu_fetch_requests_total counter"));
  EXPECT_EQ(run.wait(0ms), std::nullopt) << "it was over before it was scraped";
}

TEST_F(FetchFaultsWallClock, ServesMetricsToThisMachineOnly) {
  hostile_server server;
  write_input(server.url("/"));
  const ended run = fetch_to_file({"--metrics", "0.0.0.0:9090"});
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("--metrics"), HasSubstr("'0.0.0.0:9090' is not on loopback")));
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(FetchFaultsWallClock, SaysThatThePortOfItsMetricsIsTaken) {
  hostile_server server;
  write_input(server.url("/"));
  const std::string url = server.url("");
  const std::string port = url.substr(url.rfind(':') + 1);
  const ended run = fetch_to_file({"--metrics", "127.0.0.1:" + port});
  EXPECT_EQ(run.status, 3);
  EXPECT_THAT(run.err, HasSubstr("cannot listen on 127.0.0.1:" + port));
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(FetchFaultsWallClock, NamesThePathOfWhatIsWrongInItsConfiguration) {
  hostile_server server;
  write_input(server.url("/"));
  const std::string config = directory / "policies.json";
  write_file(config, "{\"policies\": {\"retry\": {\"retry\": {\"max_attempts\": 0}}}}\n");
  const ended wrong = fetch_to_file({"--config", config});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err,
              AllOf(HasSubstr("policies.json:1:"), HasSubstr("/policies/retry/retry/max_attempts")));
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(FetchFaultsWallClock, GoesByItsConfigurationAndByFlagsFirst) {
  hostile_server server;
  server.misbehave(fault::reset_in_header);
  write_input(server.url("/"));
  const std::string config = directory / "policies.json";
  write_file(config,
             "{\"policies\": {\"retry_budget\": {\"retry_budget\": {\"retries_per_call\": 0, "
             "\"min_retries_per_second\": 0}}}}\n");
  EXPECT_EQ(fetch_to_file({"--config", config}).status, 1);
  EXPECT_EQ(server.requests(), requests);
  EXPECT_EQ(fetch({"-i", failed, "-o", second_output, "--config", config, "--retry-budget", "100%"}).status,
            1);
  EXPECT_EQ(server.requests(), 2 * requests);  // the six that had failed, twice
}

TEST_F(FetchFaultsWallClock, RecordsEveryRequestAndAttempt) {
  hostile_server server;
  server.misbehave(fault::reset_in_header);
  write_input(server.url("/"));
  const std::string recording = directory / "calls.trace";
  EXPECT_EQ(fetch_to_file({"--record", recording}).status, 1);
  const aio::trace read = aio::read_trace(read_file(recording));
  EXPECT_FALSE(read.torn);
  const aio::trace_summary sum = aio::summarize(read);
  EXPECT_EQ(sum.calls, requests);
  EXPECT_EQ(sum.succeeded, requests / 2);
  EXPECT_EQ(sum.failed, requests / 2);
  EXPECT_EQ(sum.attempts, requests + requests / 2);  // two of each that fails
  EXPECT_EQ(read.calls.front().pipeline + "/", server.url("/"));
}

TEST_F(FetchFaultsWallClock, SaysThatARecordingCannotBeWritten) {
  hostile_server server;
  write_input(server.url("/"), 100);
  const ended run = fetch_to_file({"--record", "/dev/full"});
  EXPECT_EQ(run.status, 3);
  EXPECT_THAT(run.err, HasSubstr("--record: cannot write /dev/full: No space left on device"));
  EXPECT_EQ(results_in({output}).size(), 100U) << "a recording is not worth the results";
}

TEST_F(FetchFaultsWallClock, EndsRequestsWithTheirRealErrorWhenTheRetryBudgetIsSpent) {
  hostile_server server;
  server.misbehave(fault::reset_in_header);
  write_input(server.url("/"));
  const std::string summary = directory / "summary.json";
  const ended run =
      fetch_to_file({"--max-attempts", "5", "--retry-budget", "0%,floor=0", "--summary-json", summary});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("retry budget refused 6 retries"));
  EXPECT_EQ(server.requests(), requests);
  EXPECT_THAT(read_file(summary), HasSubstr("\"retries_refused\":6"));
  for (const auto& [id, line] : results_in({output})) {
    if (line.ok) continue;
    EXPECT_THAT(line.error, AllOf(HasSubstr("within its header"), HasSubstr("--retry-budget"))) << id;
  }
  EXPECT_THAT(read_file(output), HasSubstr("\"retry_refused\":\"budget\""));
  server.misbehave(fault::none);
  expect_one_good_line_each();
}

// Our own side: the disk and the terminal.
TEST_F(FetchFaultsWallClock, StopsAtAFullDiskAndGoesOnWhenThereIsRoom) {
  hostile_server server;
  write_input(server.url("/"), 100);
  const ended run = fetch_to_file({}, {.largest_file = 10'000});
  EXPECT_EQ(run.status, 3) << run.err;
  EXPECT_THAT(run.err, HasSubstr("cannot write " + output + ": File too large"));
  const auto lines = results_in({output});  // which takes no torn line
  EXPECT_GT(lines.size(), 5U);
  EXPECT_LT(lines.size(), 100U);
  expect_one_good_line_each(100);
}

TEST_F(FetchFaultsWallClock, StopsWhenTheDiskTakesNoBodies) {
  const std::string saved = directory / "bodies";
  hostile_server server;
  server.misbehave(fault::endless_body);
  write_input(server.url("/"));
  const ended run = fetch_to_file({"--save", saved, "-v"}, {.largest_file = 30'000});
  EXPECT_EQ(run.status, 3) << run.err;
  EXPECT_THAT(run.err, HasSubstr(".part: File too large"));
  server.misbehave(fault::none);
  expect_one_good_line_each();
  for (const auto& entry : std::filesystem::directory_iterator(saved))
    EXPECT_THAT(entry.path().string(), Not(HasSubstr(".part")));
}

// Bodies were called by their number in the input: the second round, and a run after a line was put in front,
// wrote over those of the first.
TEST_F(FetchFaultsWallClock, LeavesTheBodiesOfOtherRequestsAlone) {
  const std::string saved = directory / "bodies";
  hostile_server server;
  server.misbehave(fault::too_many);
  write_input(server.url("/"));
  fetch_to_file({"--save", saved, "--no-pace"});
  server.misbehave(fault::none);
  EXPECT_EQ(fetch({"-i", failed, "-o", second_output, "--save", saved}).status, 0);
  write_file(input, server.url("/new") + "\n" + read_file(input));
  EXPECT_EQ(fetch_to_file({"--save", saved, "--fsync"}).status, 1);
  int good = 0;
  for (const std::string& file : {output, second_output}) {
    for (const std::string& line : lines_of(read_file(file))) {
      const auto result = boost::json::parse(line).as_object();
      if (!result.at("ok").as_bool()) continue;
      ++good;
      const std::string url(result.at("url").as_string());
      EXPECT_EQ(server.url(read_file(std::string(result.at("file").as_string()))), url) << result.at("id");
    }
  }
  EXPECT_EQ(good, 12 + 13);
}

TEST_F(FetchFaultsWallClock, GoesOnAfterAPowerCut) {
  hostile_server server;
  write_input(server.url("/"));
  EXPECT_EQ(fetch_to_file().status, 0);
  std::string results = read_file(output);
  results.replace(results.size() / 3, 400, 400, '\0');  // of the size of two or three lines
  results += std::string(4096, '\0');
  write_file(output, results);
  const ended rest = fetch_to_file();
  EXPECT_EQ(rest.status, 0) << rest.err;
  EXPECT_THAT(rest.err, HasSubstr("NUL bytes"));
  expect_one_good_line_each();
}

TEST_F(FetchFaultsWallClock, SendsTheGoodRequestAmongThoseThatCannotBeSent) {
  hostile_server server;
  std::string text;
  for (int i = 0; i < 6; ++i)
    text += R"({"url":")" + server.url("/") + std::to_string(i) + R"(","headers":{"X":"a\u0001b"}})" + "\n";
  write_file(input, text + server.url("/good") + "\n");
  const ended run = fetch({"-i", input, "-o", output, "--breaker-failures", "5"});
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr(input + ":6: the value of header 'X' holds a control character"));
  std::map<std::string, int> outcomes;
  for (const auto& [id, line] : results_in({output})) ++outcomes[line.outcome];
  EXPECT_EQ(outcomes, (std::map<std::string, int>{{"invalid_input", 6}, {"ok", 1}}));
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(FetchFaultsWallClock, ShowsNoPasswordAndKeepsThoseOfFailedRequestsToItsOwner) {
  hostile_server server;
  server.misbehave(fault::reset_in_header);
  const std::string with_password =
      "http://user:secret@" + server.url("/").substr(std::string("http://").size());
  write_file(input, with_password + "1\n" + with_password + "2\nftp://user:secret@h/\n");
  const ended run = fetch_to_file({"-v", "--breaker-failures", "1", "--breaker-timeout", "10ms"});
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("attempt 2"), HasSubstr(": reset"), Not(HasSubstr("secret"))));
  EXPECT_THAT(read_file(output), AllOf(HasSubstr("\"url\":\"http://***@"), Not(HasSubstr("secret"))));
  EXPECT_EQ(std::filesystem::status(failed).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(lines_of(read_file(failed)).size(), 2U);
  const ended proxy = fetch({server.url("/"), "--proxy", "gopher://user:secret@h"});
  EXPECT_EQ(proxy.status, 2);
  EXPECT_THAT(proxy.err, AllOf(HasSubstr("only http://"), Not(HasSubstr("secret"))));
}

TEST_F(FetchFaultsWallClock, WritesNoSecretHeaderToAFile) {
  hostile_server server;
  server.misbehave(fault::reset_in_header);
  write_input(server.url("/"));
  write_file(directory / "headers", "Authorization: Bearer s3cret\n");
  EXPECT_EQ(fetch_to_file({"-v", "-H", "@" + (directory / "headers"), "-H", "X-Plain: plain"}).status, 1);
  EXPECT_THAT(read_file(failed), AllOf(HasSubstr("X-Plain"), Not(HasSubstr("s3cret"))));
  EXPECT_THAT(read_file(output), Not(HasSubstr("s3cret")));
}

TEST_F(FetchFaultsWallClock, GivesMetaBackAndTheHeadersThatItIsAskedFor) {
  hostile_server server;
  server.misbehave(fault::too_many);
  write_file(input, R"({"id":"good","url":")" + server.url("/0") + R"(","meta":{"a": 0.10}})" + "\n" +
                        R"({"id":"bad","url":")" + server.url("/1") + R"(","meta":[1]})" + "\n" +
                        R"({"id":"wrong","url":"ftp://h","meta":"x"})" + "\n");
  EXPECT_EQ(fetch_to_file({"--include-headers", "content-length", "--no-pace"}).status, 2);
  std::map<std::string, std::string> lines;
  for (const std::string& line : lines_of(read_file(output)))
    lines[std::string(boost::json::parse(line).as_object().at("id").as_string())] = line;
  EXPECT_THAT(lines["good"],
              AllOf(HasSubstr(R"("meta":{"a": 0.10})"), HasSubstr(R"("headers":{"content-length":"2"})")));
  EXPECT_THAT(lines["bad"],
              AllOf(HasSubstr(R"("meta":[1])"), HasSubstr(R"("headers":{"content-length":"0"})")));
  EXPECT_THAT(lines["wrong"], HasSubstr(R"("meta":"x")"));
  EXPECT_THAT(read_file(failed), AllOf(HasSubstr(R"("meta":[1])"), HasSubstr(R"("meta":"x")")));
}

TEST_F(FetchFaultsWallClock, ListsWrongLinesAmongTheFailures) {
  write_file(input, R"({"id":"order-77","url":"ftp://x/y"})"
                    "\n");
  EXPECT_EQ(fetch_to_file().status, 2);
  EXPECT_EQ(results_in({output}).count("order-77"), 1U);
  EXPECT_EQ(read_file(failed), R"({"id":"order-77","url":"ftp://x/y"})"
                               "\n");
  EXPECT_EQ(fetch_to_file().status, 1) << "it is resumed, and lists it anew";
  EXPECT_EQ(read_file(failed), R"({"id":"order-77","url":"ftp://x/y"})"
                               "\n");
}

TEST_F(FetchFaultsWallClock, DoesWhatFailedAgainAndLetsTheGoodLineWin) {
  hostile_server server;
  server.misbehave(fault::reset_in_header);
  write_input(server.url("/"));
  EXPECT_EQ(fetch_to_file().status, 1);
  EXPECT_EQ(fetch_to_file().status, 1) << "without being told so it does nothing again";
  EXPECT_EQ(results_in({output}).size(), 12U);
  server.misbehave(fault::none);
  const int before = server.requests();
  const ended again = fetch_to_file({"--retry-failed"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(server.requests() - before, requests / 2);
  EXPECT_EQ(results_in({output}).size(), 12U + requests / 2);
  EXPECT_EQ(read_file(failed), "");
  EXPECT_EQ(fetch_to_file({"--retry-failed"}).status, 0);
  EXPECT_EQ(server.requests() - before, requests / 2) << "nothing is left";

  process newest({DSPU_PROGRAM, "results", output}, {.out = second_output, .err = directory / "stderr"});
  EXPECT_EQ(newest.wait(hard_limit), 0) << read_file(directory / "stderr");
  const auto each = results_in({second_output});
  EXPECT_EQ(each.size(), 12U);
  for (const auto& [id, line] : each) EXPECT_TRUE(line.ok) << id;
}

TEST_F(FetchFaultsWallClock, NamesBodiesAsItIsToldAndReplacesNone) {
  const std::string saved = directory / "bodies";
  hostile_server server;
  write_file(input, server.url("/a/1.html") + "\n" + server.url("/b/1.html") + "\n");
  const std::vector<std::string> named{"-i",  input,           "-o",          output, "--save",
                                       saved, "--output-name", "d/{basename}"};
  const ended first = fetch(named);
  EXPECT_EQ(first.status, 2);
  EXPECT_THAT(first.err, HasSubstr("as another request's is"));
  EXPECT_EQ(read_file(saved + "/d/1.html"), "/a/1.html");
  const ended second = fetch(named);
  EXPECT_EQ(second.status, 2);
  EXPECT_THAT(second.err, HasSubstr("exists and may be another's; --overwrite"));
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(FetchFaultsWallClock, StopsAtAFullDeviceBehindStandardOutput) {
  hostile_server server;
  write_input(server.url("/"), 100);
  const ended run = fetch({"-i", input}, {.out = "/dev/full"});
  EXPECT_EQ(run.status, 3);
  EXPECT_THAT(run.err, HasSubstr("cannot write standard output: No space left on device"));
}

TEST_F(FetchFaultsWallClock, StopsWhenNobodyReadsItsOutput) {
  hostile_server server;
  write_input(server.url("/"), 100);
  const ended run = fetch({"-i", input}, {.break_out = true});
  EXPECT_EQ(run.status, 3);
  EXPECT_THAT(run.err, HasSubstr("cannot write standard output: Broken pipe"));
}

TEST_F(FetchFaultsWallClock, SendsNothingIfStandardOutputIsClosed) {
  hostile_server server;
  write_input(server.url("/"), 100);
  const ended run = fetch({"-i", input}, {.close_out = true});
  EXPECT_EQ(run.status, 3);
  EXPECT_THAT(run.err, HasSubstr("cannot write standard output: Bad file descriptor"));
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(FetchFaultsWallClock, RefusesToWriteOverItsInput) {
  hostile_server server;
  write_input(server.url("/"));
  const std::string list = read_file(input);
  std::filesystem::create_symlink(input, directory / "link");
  for (const char* option : {"-o", "--failed-to", "--summary-json", "--record"}) {
    const ended run = fetch({"-i", input, option, directory / "link"});
    EXPECT_EQ(run.status, 2) << option;
    EXPECT_THAT(run.err, HasSubstr("is the same file as --input")) << option;
    EXPECT_EQ(read_file(input), list) << option;
  }
  EXPECT_EQ(server.requests(), 0);
}

// A run that cannot begin must not cost what earlier ones have left.
TEST_F(FetchFaultsWallClock, EmptiesNoFileBeforeItCanBegin) {
  hostile_server server;
  write_input(server.url("/"));
  const std::string summary = directory / "summary.json";
  const std::string recording = directory / "calls.trace";
  for (const std::string& file : {output, failed, summary, recording}) write_file(file, "of yesterday\n");
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"--cacert", directory / "absent.pem"},
        {"--proxy", "gopher://h"},
        {"--breaker-timeout", "1s", "--metrics",
         "127.0.0.1:" + server.url("").substr(server.url("").rfind(':') + 1)}}) {
    std::vector<std::string> all{
        "-i", input, "-o", output, "--failed-to", failed, "--summary-json", summary, "--record", recording};
    all.insert(all.end(), wrong.begin(), wrong.end());
    EXPECT_THAT(fetch(all).status, AnyOf(2, 3)) << wrong.front();
    for (const std::string& file : {output, failed, summary, recording})
      EXPECT_EQ(read_file(file), "of yesterday\n") << file << " with " << wrong.front();
  }
  EXPECT_EQ(server.requests(), 0);
}

// A descriptor that is free is given to the next file that is opened, and messages would go into it.
TEST_F(FetchFaultsWallClock, KeepsMessagesOutOfTheResultsIfStandardErrorIsClosed) {
  hostile_server server;
  server.misbehave(fault::reset_in_header);
  write_input(server.url("/"));
  const ended run = fetch_to_file({"-v"}, {.close_out = true, .close_err = true});
  EXPECT_EQ(run.status, 1);
  EXPECT_EQ(results_in({output}).size(), 12U);
  server.misbehave(fault::none);
  expect_one_good_line_each();
}

}  // namespace
}  // namespace dspu::faults
