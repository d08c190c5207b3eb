#include "dspu/serve_command.hpp"

#include "dspu/serve_parse.hpp"

#include <gmock/gmock.h>
#include <CLI/CLI.hpp>

#include <csignal>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace dspu::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(ServeParse, ReadsLatencies) {
  using shape = latency_spec::shape;
  struct row {
    const char* text;
    shape kind;
    std::chrono::nanoseconds p50;
  };
  const row rows[] = {{"20ms", shape::constant, 20ms},
                      {"0", shape::constant, 0ms},
                      {"p50=20ms", shape::lognormal, 20ms},
                      {"constant,p50=1s", shape::constant, 1s},
                      {"uniform,p50=5ms", shape::uniform, 5ms},
                      {"exponential,p50=5ms", shape::exponential, 5ms},
                      {"lognormal,p50=5ms", shape::lognormal, 5ms}};
  for (const auto& r : rows) {
    EXPECT_EQ(parse_latency(r.text).kind, r.kind) << r.text;
    EXPECT_EQ(parse_latency(r.text).p50, r.p50) << r.text;
  }
  for (const char* text : {"", "fast", "20", "p50=", "p50=20", "uniform,20ms", "gamma,p50=1s", "-1ms"})
    EXPECT_THROW(parse_latency(text), std::invalid_argument) << text;
}

TEST(ServeParse, ReadsOutages) {
  const auto outages = parse_outages("10s+5s,1m+500ms:503");
  ASSERT_EQ(outages.size(), 2U);
  EXPECT_EQ(outages[0].from, 10s);
  EXPECT_EQ(outages[0].to, 15s);
  EXPECT_EQ(outages[0].how, outage_window::mode::refuse);
  EXPECT_EQ(outages[1].from, 60s);
  EXPECT_EQ(outages[1].to, 60s + 500ms);
  EXPECT_EQ(outages[1].how, outage_window::mode::unavailable);
  for (const char* text : {"", "10s", "10s+", "+5s", "10s+0", "10s+5s,", "10s-5s", "10s+5s:500"})
    EXPECT_THROW(parse_outages(text), std::invalid_argument) << text;
}

TEST(ServeParse, ReadsLimitsAndStatuses) {
  EXPECT_EQ(parse_request_limit("100/s,burst=20").burst, 20);
  EXPECT_EQ(parse_request_limit("100/m").per, 1min);
  EXPECT_THROW(parse_request_limit("0/s"), std::invalid_argument);
  EXPECT_THAT(parse_statuses("500,503"), testing::ElementsAre(500U, 503U));
  for (const char* text : {"", "200", "600", "500,", "5xx"})
    EXPECT_THROW(parse_statuses(text), std::invalid_argument) << text;
}

TEST(ServeCommand, ReadsItsOptions) {
  CLI::App app;
  serve_options o;
  add_serve_options(app, o);
  const char* arguments[] = {"serve",
                             "--address",
                             "::1",
                             "--any-address",
                             "--port",
                             "8080",
                             "--seed",
                             "7",
                             "--fail",
                             "10%",
                             "--reset",
                             "1%",
                             "--truncate",
                             "0.02",
                             "--slow",
                             "3%",
                             "--silent",
                             "4%",
                             "--wrong-length",
                             "5%",
                             "--endless",
                             "6%",
                             "--fail-status",
                             "500,502",
                             "--slow-duration",
                             "1s",
                             "--latency",
                             "uniform,p50=20ms",
                             "--outage",
                             "1s+2s",
                             "--rate",
                             "100/m,burst=3",
                             "--limit-status",
                             "503",
                             "--no-retry-after",
                             "--retry-after-date",
                             "--body-size",
                             "2k",
                             "--no-gzip",
                             "--keep-alive",
                             "9",
                             "--silent-close",
                             "--cert",
                             "c.pem",
                             "--key",
                             "k.pem"};
  app.parse(static_cast<int>(std::size(arguments)), arguments);
  EXPECT_EQ(o.address, "::1");
  EXPECT_TRUE(o.allow_any_address);
  EXPECT_EQ(o.port, 8080);
  EXPECT_EQ(o.seed, 7U);
  EXPECT_DOUBLE_EQ(o.failure_rate, 0.1);
  EXPECT_DOUBLE_EQ(o.reset_rate, 0.01);
  EXPECT_DOUBLE_EQ(o.truncate_rate, 0.02);
  EXPECT_DOUBLE_EQ(o.slow_rate, 0.03);
  EXPECT_DOUBLE_EQ(o.silent_rate, 0.04);
  EXPECT_DOUBLE_EQ(o.wrong_length_rate, 0.05);
  EXPECT_DOUBLE_EQ(o.endless_rate, 0.06);
  EXPECT_THAT(o.failure_statuses, testing::ElementsAre(500U, 502U));
  EXPECT_EQ(o.slow_duration, 1s);
  EXPECT_EQ(o.latency.kind, latency_spec::shape::uniform);
  ASSERT_EQ(o.outages.size(), 1U);
  EXPECT_EQ(o.outages[0].to, 3s);
  ASSERT_TRUE(o.limit);
  EXPECT_EQ(o.limit->amount, 100);
  EXPECT_EQ(o.limit->per, 1min);
  EXPECT_EQ(o.limit->burst, 3);
  EXPECT_EQ(o.limit_status, 503U);
  EXPECT_FALSE(o.sends_retry_after);
  EXPECT_TRUE(o.retry_after_as_date);
  EXPECT_EQ(o.body_size, 2048U);
  EXPECT_FALSE(o.gzip);
  EXPECT_EQ(o.keep_alive_requests, 9U);
  EXPECT_FALSE(o.announce_close);
  EXPECT_EQ(o.certificate, "c.pem");
  EXPECT_EQ(o.private_key, "k.pem");
}

TEST(ServeCommand, NamesTheOptionThatIsWrong) {
  const char* rows[][2] = {{"--fail", "150%"},       {"--latency", "soon"}, {"--outage", "10s"},
                           {"--rate", "none"},       {"--reset", "-1"},     {"--fail-status", "200"},
                           {"--body-size", "large"}, {"--port", "99999"}};
  for (const auto& [option, value] : rows) {
    CLI::App app;
    int exit_status = 0;
    add_serve_command(app, exit_status);
    try {
      const char* arguments[] = {"dspu", "serve", option, value};
      app.parse(4, arguments);
      ADD_FAILURE() << option << " accepted " << value;
    } catch (const CLI::ParseError& error) {
      EXPECT_THAT(error.what(), HasSubstr(option));
      EXPECT_THAT(error.what(), HasSubstr(value));
    }
  }
}

// Ends the server by a signal the moment its line is out.
class terminating_buffer : public std::stringbuf {
 protected:
  int sync() override {
    if (!raised_) std::raise(SIGTERM);
    raised_ = true;
    return 0;
  }

 private:
  bool raised_ = false;
};

TEST(ServeCommandWallClock, ServesUntilASignal) {
  terminating_buffer buffer;
  std::ostream log(&buffer);
  EXPECT_EQ(run_server({}, log), 0);
  EXPECT_THAT(buffer.str(), HasSubstr("listening on http://127.0.0.1:"));
  EXPECT_THAT(buffer.str(), HasSubstr("requests 0, connections 0"));
}

TEST(ServeCommandWallClock, SaysWhyItCannotServe) {
  std::ostringstream log;
  serve_options contradictory;
  contradictory.address = "0.0.0.0";
  EXPECT_EQ(run_server(contradictory, log), 2);
  EXPECT_THAT(log.str(), HasSubstr("address is 0.0.0.0"));
  serve_options missing;
  missing.certificate = missing.private_key = "/nonexistent.pem";
  EXPECT_EQ(run_server(missing, log), 3);
  EXPECT_THAT(log.str(), HasSubstr("certificate \"/nonexistent.pem\""));
}

}  // namespace
}  // namespace dspu::app
