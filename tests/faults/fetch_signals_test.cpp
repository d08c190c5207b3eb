// SIGINT and SIGTERM to `dspu fetch`, wherever it is: within --grace after the first, at once after
// the second, on the spot after the third it has ended, and its results are whole.
#include "app/temporary_directory.hpp"
#include "faults/hostile_server.hpp"
#include "faults/process.hpp"

#include <gmock/gmock.h>
#include <boost/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace dspu::faults {
namespace {

using namespace std::chrono_literals;
using app::testing::read_file;
using app::testing::temporary_directory;
using app::testing::write_file;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr auto hard_limit = 30s;

std::vector<std::string> command(std::vector<std::string> more) {
  std::vector<std::string> argv{DSPU_PROGRAM,   "fetch",    "--proxy", "",
                                "--no-breaker", "--jitter", "none"};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

bool wait_until(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + hard_limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

std::string list_of(const hostile_server& server, int count, int step = 1) {
  std::string text;
  for (int i = 0; i < count; ++i) text += server.url("/") + std::to_string(i * step) + "\n";
  return text;
}

class FetchSignalsWallClock : public ::testing::Test {
 protected:
  // An input of good requests: paths that end in an even digit.
  void write_good_input(int count) { write_file(input, list_of(server, count, 2)); }
  void make_fifo() { ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0); }

  temporary_directory directory;
  const std::string input = directory / "input";
  const std::string output = directory / "results.jsonl";
  const std::string fifo = directory / "fifo";
  const std::string err = directory / "stderr";
  hostile_server server;
};

TEST_F(FetchSignalsWallClock, EndsThoughTheReaderOfItsFifoGoesAway) {
  write_good_input(3000);
  make_fifo();
  process run(command({"-q", "-i", input, "-o", fifo}), {.err = err});
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_CLOEXEC);
  char first = 0;
  EXPECT_EQ(::read(reader, &first, 1), 1);
  ::close(reader);
  EXPECT_EQ(run.wait(hard_limit), 3);
  EXPECT_THAT(read_file(err), HasSubstr("cannot write " + fifo + ": Broken pipe"));
}

TEST_F(FetchSignalsWallClock, WaitsForAReaderOfItsFifoAndSendsNothing) {
  write_good_input(10);
  make_fifo();
  process run(command({"-q", "-i", input, "-o", fifo}), {.err = err});
  ASSERT_EQ(run.wait(200ms), std::nullopt);
  EXPECT_EQ(server.requests(), 0);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_CLOEXEC);
  std::string text;
  char byte = 0;
  while (::read(reader, &byte, 1) == 1) text += byte;
  ::close(reader);
  EXPECT_EQ(run.wait(hard_limit), 0);
  EXPECT_EQ(std::ranges::count(text, '\n'), 10);
}

TEST_F(FetchSignalsWallClock, EndsThoughTheReaderOfDevStdoutGoesAway) {
  write_good_input(3000);
  small_pipe out;
  process run(command({"-q", "-i", input, "-o", "/dev/stdout"}),
              {.err = err, .out_fd = out.write_end()});
  ASSERT_TRUE(wait_until([&] { return out.is_full(); }));
  out.close_read_end();
  EXPECT_EQ(run.wait(hard_limit), 3);
  EXPECT_THAT(read_file(err), HasSubstr("Broken pipe"));
}

TEST_F(FetchSignalsWallClock, EndsAtASignalThoughNobodyReadsItsOutput) {
  write_good_input(3000);
  for (const bool twice : {false, true}) {
    small_pipe out;
    process run(command({"-q", "-i", input, "--grace", twice ? "1h" : "100ms"}),
                {.err = err, .out_fd = out.write_end()});
    ASSERT_TRUE(wait_until([&] { return out.is_full(); }));
    run.signal(SIGINT);
    if (twice) {
      ASSERT_TRUE(wait_until([&] { return read_file(err).find("stopping") != std::string::npos; }));
      run.signal(SIGINT);
    }
    EXPECT_EQ(run.wait(hard_limit), 128 + SIGINT);
    EXPECT_THAT(read_file(err), HasSubstr("cannot write standard output: it takes nothing"));
  }
}

// What is out keeps its time while nobody reads the results, and nothing more is sent.
TEST_F(FetchSignalsWallClock, PausesWhileNobodyReadsItsOutput) {
  constexpr int count = 4000;
  write_good_input(count);
  small_pipe out;
  process run(command({"-q", "-i", input, "--timeout", "2s", "--max-attempts", "1"}),
              {.err = err, .out_fd = out.write_end()});
  out.close_write_end();
  int before = -1;
  ASSERT_TRUE(wait_until([&] {
    std::this_thread::sleep_for(300ms);
    const int now = server.requests();
    return now > 0 && std::exchange(before, now) == now;
  }));
  EXPECT_LT(before, count);
  const std::string results = out.read_all();
  EXPECT_EQ(run.wait(hard_limit), 0) << read_file(err);
  EXPECT_EQ(std::ranges::count(results, '\n'), count);
}

TEST_F(FetchSignalsWallClock, GoesOnThoughNobodyReadsItsMessages) {
  server.misbehave(fault::reset_in_header);
  write_file(input, list_of(server, 200));
  small_pipe messages;
  process run(command({"-v", "-i", input, "-o", output, "--max-attempts", "1"}),
              {.err_fd = messages.write_end()});
  messages.close_write_end();
  ASSERT_TRUE(wait_until([&] { return std::ranges::count(read_file(output), '\n') == 200; }));
  const std::string text = messages.read_all();
  EXPECT_EQ(run.wait(hard_limit), 1);
  EXPECT_THAT(text, HasSubstr("200 requests in"));
}

TEST_F(FetchSignalsWallClock, LeavesTheFlagsOfItsStandardInputAlone) {
  small_pipe in;
  const std::string line = server.url("/0") + "\n";
  ASSERT_GT(::write(in.write_end(), line.data(), line.size()), 0);
  process run(command({"-q", "-o", output}), {.err = err, .in_fd = in.read_end()});
  ASSERT_TRUE(wait_until([&] { return server.requests() == 1 && !read_file(output).empty(); }));
  EXPECT_EQ(::fcntl(in.read_end(), F_GETFL) & O_NONBLOCK, 0);
  in.close_write_end();
  EXPECT_EQ(run.wait(hard_limit), 0);
}

// --- signals at random instants ---

struct situation {
  const char* name;
  fault how;
  std::vector<std::string> options;
  bool ends_by_itself = false;
  enum class streams { files, open_input, unread_output, unread_messages } use = streams::files;
};

const std::vector<situation>& situations() {
  using streams = situation::streams;
  static const std::vector<situation> all{
      {"waiting for a backoff",
       fault::too_many,
       {"--base-delay", "1h", "--max-delay", "1h", "--deadline", "none"}},
      {"busy", fault::none, {"-o", "OUTPUT", "--resume"}, true},
      {"waiting for answers", fault::silence, {}},
      {"waiting for input", fault::none, {}, false, streams::open_input},
      {"nobody reads its output", fault::none, {}, false, streams::unread_output},
      {"nobody reads its messages",
       fault::reset_in_header,
       {"-v", "--max-attempts", "1"},
       true,
       streams::unread_messages},
      {"writing every kind of file",
       fault::reset_in_body,
       {"-o", "OUTPUT", "--resume", "--save", "DIR/bodies", "--summary-json", "DIR/summary",
        "--record", "DIR/record", "--failed-to", "DIR/failed", "--base-delay", "1ms", "--metrics",
        "127.0.0.1:0"},
       true},
  };
  return all;
}

// One after the other, runs of `dspu fetch` that get signals.
class signaller {
 public:
  signaller(std::uint64_t seed) : random_(seed) {}

  void run(const situation& now) {
    SCOPED_TRACE(now.name);
    server_.misbehave(now.how);
    write_file(directory_ / "input", list_of(server_, requests));
    const int before = server_.requests();
    small_pipe in;
    small_pipe out;
    process_options how{.err = directory_ / "stderr"};
    using streams = situation::streams;
    if (now.use == streams::open_input) {
      const std::string text = list_of(server_, 10);
      EXPECT_GT(::write(in.write_end(), text.data(), text.size()), 0);
      how.in_fd = in.read_end();
    }
    if (now.use == streams::unread_output) how.out_fd = out.write_end();
    if (now.use == streams::unread_messages) how.err_fd = out.write_end();
    process child(command(arguments(now)), how);
    // Half of them get their first signal while they start or end, wherever that is on this machine
    // today.
    if (random_() % 2 == 0) {
      wait_until([&] { return server_.requests() > before; });
    }
    const std::set<int> sent = send_signals(child);
    const auto status = child.wait(hard_limit);
    if (!status) {
      ADD_FAILURE() << "it did not end; so far:\n" << read_file(directory_ / "stderr");
      return;
    }
    const bool by_signal =
        std::ranges::any_of(sent, [&](int number) { return *status == 128 + number; });
    EXPECT_TRUE(by_signal || (now.ends_by_itself && (*status == 0 || *status == 1)))
        << "status " << *status << "\n"
        << read_file(directory_ / "stderr");
    check_results();
  }

 private:
  static constexpr int requests = 400;

  std::vector<std::string> arguments(const situation& now) {
    std::vector<std::string> made;
    if (now.use != situation::streams::open_input) made = {"-i", directory_ / "input"};
    for (std::string option : {"--grace", "30ms"}) made.push_back(option);
    for (std::string option : now.options) {
      if (option == "OUTPUT") option = directory_ / "results";
      if (option.starts_with("DIR/")) option = directory_ / option.substr(4);
      made.push_back(option);
    }
    return made;
  }

  // One to four, most of them close together.
  std::set<int> send_signals(process& to) {
    std::set<int> sent;
    std::uniform_real_distribution<double> exponent(0, 5);  // from a microsecond to 0.1 s
    const std::uint64_t count = 1 + random_() % 4;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto pause = std::chrono::duration<double, std::micro>(std::pow(10, exponent(random_)));
      const auto until = std::chrono::steady_clock::now() + pause;
      if (pause > 200us) std::this_thread::sleep_until(until);
      while (std::chrono::steady_clock::now() < until) continue;
      const int number = random_() % 2 == 0 ? SIGINT : SIGTERM;
      to.signal(number);
      sent.insert(number);
    }
    return sent;
  }

  // Runs follow each other on one file, so that each goes on where a signal ended the one before.
  void check_results() {
    const std::string text = read_file(directory_ / "results");
    EXPECT_TRUE(text.empty() || text.ends_with('\n')) << "a torn line";
    std::istringstream in(text);
    std::set<std::string> ids;
    for (std::string line; std::getline(in, line);)
      EXPECT_TRUE(ids.insert(std::string(boost::json::parse(line).at("id").as_string())).second)
          << line;
    if (ids.size() == requests) std::filesystem::remove(directory_ / "results");
  }

  std::mt19937_64 random_;
  temporary_directory directory_;
  hostile_server server_;
};

// DSPU_SIGNAL_RUNS and DSPU_SIGNAL_SEED replace the number of runs and the seed.
std::uint64_t setting(const char* name, std::uint64_t usual) {
  const char* text = std::getenv(name);
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

TEST(FetchRandomSignalsWallClock, EndAndLeaveWholeResults) {
  const std::uint64_t runs = setting("DSPU_SIGNAL_RUNS", 200);
  const std::uint64_t seed = setting("DSPU_SIGNAL_SEED", std::random_device{}());
  SCOPED_TRACE("DSPU_SIGNAL_SEED=" + std::to_string(seed));
  constexpr std::uint64_t side_by_side = 4;
  std::atomic<std::uint64_t> next = 0;
  std::vector<std::jthread> threads;
  for (std::uint64_t i = 0; i < side_by_side; ++i) {
    threads.emplace_back([&, i] {
      signaller one(seed + i);
      for (std::uint64_t n = next++; n < runs && !::testing::Test::HasFailure(); n = next++)
        one.run(situations()[n % situations().size()]);
    });
  }
}

}  // namespace
}  // namespace dspu::faults
