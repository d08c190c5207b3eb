// Bodies that break off, and go on where they broke: the engine, in virtual time, with a server that breaks
// every answer where it is told to.
#include "dspu/impl/engine.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/testing/simulator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace dspu::app {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string body_of(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
  text.resize(size);
  return text;
}

// A server of one file, which honours ranges as long as the validator fits.
class file_server final : public transport {
 public:
  std::string content = body_of(1000);
  std::string etag = "\"v1\"";
  // How many bytes the nth answer with a body gives before it breaks off, from 1.
  std::function<std::size_t(int nth)> gives = [](int) { return std::string::npos; };
  // What it answers instead, if anything; called with the request and its number.
  std::function<std::optional<http_response>(const http_request&, int nth)> instead;

  int requests = 0;
  std::size_t bytes_given = 0;
  header_list last_headers;

  boost::asio::awaitable<http_response> exchange(const http_request& request, body_sink& sink,
                                                 std::chrono::nanoseconds) override {
    const int nth = ++requests;
    last_headers = request.headers;
    if (instead) {
      if (const auto other = instead(request, nth)) {
        sink.begin(*other);
        sink.write({"other", 5});
        co_return *other;
      }
    }
    http_response head = answer_to(request);
    sink.begin(head);
    const std::string_view part = std::string_view(content).substr(first_);
    const std::size_t given = std::min(gives(nth), part.size());
    bytes_given += given;
    sink.write({part.data(), given});
    if (given < part.size()) {
      transport_error broken(transport_failure::reset, "broken off");
      broken.set_progress({.sent = true, .status = head.status, .bytes = given});
      throw broken;
    }
    co_return head;
  }

 private:
  http_response answer_to(const http_request& request) {
    http_response head;
    head.status = 200;
    first_ = 0;
    const std::string_view range = find_header(request.headers, "Range");
    if (range.starts_with("bytes=") && find_header(request.headers, "If-Range") == etag) {
      std::from_chars(range.data() + 6, range.data() + range.size(), first_);
      head.status = 206;
      head.headers = {{"Content-Range", "bytes " + std::to_string(first_) + "-" +
                                            std::to_string(content.size() - 1) + "/" +
                                            std::to_string(content.size())}};
    }
    head.headers.emplace_back("ETag", etag);
    head.headers.emplace_back("Content-Length", std::to_string(content.size() - first_));
    return head;
  }

  std::size_t first_ = 0;
};

class one_request final : public request_source {
 public:
  state next(input_item& item) override {
    if (given_) return state::end;
    given_ = true;
    item.n = 1;
    item.id = "file";
    item.request.url = "http://h/file";
    return state::item;
  }
  boost::asio::awaitable<void> wait() override { co_return; }
  std::optional<std::uint64_t> expected() const override { return 1; }

 private:
  bool given_ = false;
};

struct last_result final : flow_observer {
  void on_result(const result_record& r, const http_request&) override { record = r; }
  void on_turn() override {}
  void on_retry(const job&, core::duration, core::retry_reason) override {}
  void on_hold(std::string_view, core::duration) override {}
  void on_breaker(std::string_view, core::circuit_transition, core::duration) override {}
  void on_refusal(const job&, core::duration) override {}
  void on_pace(std::string_view, const pace_report&) override {}
  std::optional<result_record> record;
};

class ContinuedBody : public ::testing::Test {
 protected:
  result_record fetch() {
    dspu::testing::simulator sim;
    one_request source;
    last_result seen;
    basic_engine<dspu::testing::manual_clock> engine(sim.get_executor(), options, source, server, seen);
    sim.run(engine.run());
    return seen.record.value();
  }
  // The next run, with --resume.
  result_record fetch_again() {
    options.flow.bodies.resume = true;
    return fetch();
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
      names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }
  void expect_whole(const result_record& record) {
    EXPECT_EQ(record.outcome, outcome::ok) << record.error;
    ASSERT_FALSE(record.file.empty());
    EXPECT_EQ(testing::read_file(record.file), server.content);
    EXPECT_EQ(record.bytes, server.content.size());
    EXPECT_EQ(files().size(), 1u) << ::testing::PrintToString(files());
  }

  testing::temporary_directory directory;
  file_server server;
  engine_options options = [this] {
    engine_options made;
    made.flow.bodies.directory = directory.path();
    made.flow.plan = core::retry_plan(2, core::backoff_options{}, 5min);
    return made;
  }();
};

TEST_F(ContinuedBody, GoesOnWhereItBrokeAndFetchesNothingTwice) {
  server.gives = [](int) { return 50u; };
  expect_whole(fetch());
  EXPECT_EQ(server.requests, 20) << "each that comes further is worth new attempts";
  EXPECT_EQ(server.bytes_given, 1000u);
  EXPECT_THAT(server.last_headers, Contains(Pair("Range", "bytes=950-")));
  EXPECT_THAT(server.last_headers, Contains(Pair("If-Range", "\"v1\"")));
}

TEST_F(ContinuedBody, IsWholeOrAPartOrAbsentAtEveryCut) {
  server.content = body_of(40);
  options.flow.plan = core::retry_plan(1, core::backoff_options{}, 5min);
  for (std::size_t cut = 0; cut < 40; ++cut) {
    SCOPED_TRACE(cut);
    server.requests = 0;
    server.bytes_given = 0;
    server.gives = [cut](int nth) { return nth == 1 ? cut : std::string::npos; };
    options.flow.bodies.resume = false;
    const result_record first = fetch();
    EXPECT_EQ(first.outcome, outcome::reset);
    EXPECT_EQ(first.bytes, cut);
    EXPECT_EQ(first.file, "");
    for (const auto& name : files()) EXPECT_THAT(name, HasSubstr(".part"));
    const result_record second = fetch_again();
    expect_whole(second);
    EXPECT_EQ(server.bytes_given, 40u) << "no byte was fetched twice";
    std::filesystem::remove(second.file);
  }
}

TEST_F(ContinuedBody, StartsAnewWhereTheFileHasChanged) {
  server.instead = [this](const http_request&, int nth) -> std::optional<http_response> {
    if (nth == 2) {
      server.etag = "\"v2\"";
      server.content = "all of it is new now, and shorter than what there was";
    }
    return std::nullopt;
  };
  server.gives = [](int nth) { return nth == 1 ? std::size_t{300} : std::string::npos; };
  expect_whole(fetch());
  EXPECT_EQ(server.requests, 2);
}

http_response partial(const std::string& content_range, const std::string& etag = "\"v1\"") {
  http_response head;
  head.status = 206;
  head.headers = {{"Content-Range", content_range}, {"ETag", etag}, {"Content-Length", "5"}};
  return head;
}

TEST_F(ContinuedBody, StartsAnewWhereAnotherPartComes) {
  for (const http_response& wrong :
       {partial("bytes 299-999/1000"), partial("bytes 301-999/1000"), partial("bytes 300-998/1000"),
        partial("bytes 300-999/1001"), partial("bytes 300-999/*"), partial("pages 300-999/1000"), partial(""),
        partial("bytes 300-999/1000", "\"v2\""),
        http_response{.status = 416, .headers = {}, .body_bytes = 0, .content_encoding = {}}}) {
    SCOPED_TRACE(std::to_string(wrong.status) + " " +
                 std::string(find_header(wrong.headers, "Content-Range")));
    server.requests = 0;
    server.gives = [](int nth) { return nth == 1 ? std::size_t{300} : std::string::npos; };
    server.instead = [&](const http_request&, int nth) -> std::optional<http_response> {
      return nth == 2 ? std::optional(wrong) : std::nullopt;
    };
    const result_record record = fetch();
    expect_whole(record);
    EXPECT_EQ(server.requests, 3);
    std::filesystem::remove(record.file);
  }
}

TEST_F(ContinuedBody, SurvivesErrorsInBetween) {
  server.gives = [](int nth) { return nth == 1 ? std::size_t{300} : std::string::npos; };
  server.instead = [](const http_request&, int nth) -> std::optional<http_response> {
    http_response busy;
    busy.status = 503;
    return nth == 2 ? std::optional(busy) : std::nullopt;
  };
  options.flow.plan = core::retry_plan(3, core::backoff_options{}, 5min);
  expect_whole(fetch());
  EXPECT_EQ(server.bytes_given, 1000u);
}

TEST_F(ContinuedBody, EndsWithAServerThatNeverComesFurther) {
  server.gives = [](int) { return std::size_t{300}; };
  server.instead = [](const http_request& request, int) -> std::optional<http_response> {
    return find_header(request.headers, "Range").empty() ? std::nullopt
                                                         : std::optional(partial("bytes 0-4/1000"));
  };
  const result_record record = fetch();
  EXPECT_EQ(record.outcome, outcome::reset);
  EXPECT_LE(server.requests, 6);
}

TEST_F(ContinuedBody, StartsAnewWithoutAValidator) {
  for (const char* etag : {"", "W/\"weak\""}) {
    server.etag = etag;
    server.requests = 0;
    server.bytes_given = 0;
    server.gives = [](int nth) { return nth == 1 ? std::size_t{300} : std::string::npos; };
    const result_record record = fetch();
    expect_whole(record);
    EXPECT_EQ(server.bytes_given, 1300u);
    std::filesystem::remove(record.file);
  }
}

TEST_F(ContinuedBody, DoesNotOpenTheBreakerAsLongAsItComesFurther) {
  server.gives = [](int) { return 10u; };
  options.flow.scheduling.origin.breaker = core::breaker_options{.failure_threshold = 2, .timeout = 1h};
  expect_whole(fetch());
}

TEST_F(ContinuedBody, TakesNoPartOfAnotherRequestOrOfAnybodyElse) {
  server.gives = [](int nth) { return nth == 1 ? std::size_t{300} : std::string::npos; };
  options.flow.plan = core::retry_plan(1, core::backoff_options{}, 5min);
  fetch();
  ASSERT_EQ(files().size(), 2u);
  const std::string part = directory / files().front();
  const std::string note = directory / files().back();
  ASSERT_EQ(note, part + ".from");
  const std::string said = testing::read_file(note);
  const std::string of = said.substr(said.find("\"of\":\"") + 6, 16);
  testing::write_file(note,
                      said.substr(0, said.find(of)) + std::string(16, '0') + said.substr(said.find(of) + 16));
  server.bytes_given = 0;
  const result_record other = fetch_again();
  expect_whole(other);
  EXPECT_EQ(server.bytes_given, 1000u) << "the part is of another URL";
  std::filesystem::remove(other.file);

  testing::write_file(note, said);
  const std::string precious = directory / "precious";
  testing::write_file(precious, "not to be written to");
  std::filesystem::create_symlink(precious, part);
  fetch_again();
  EXPECT_EQ(testing::read_file(precious), "not to be written to");
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(part)));
}

}  // namespace
}  // namespace dspu::app
