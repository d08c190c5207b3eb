#include "dspu/serve_answer.hpp"

#include <gmock/gmock.h>
#include <boost/json.hpp>

namespace dspu::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

serve_answer get(const std::string& target, const serve_options& options = {},
                 const std::string& accept = "") {
  incoming_request request;
  request.method = "GET";
  request.target = target;
  if (!accept.empty()) request.headers = {{"Accept-Encoding", accept}};
  return answer_to(request, options);
}

TEST(ServeAnswer, NamesThePathItWasAskedFor) {
  const serve_answer answer = get("/some/where?x=1");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.body, "you asked for /some/where\n");
}

TEST(ServeAnswer, KnowsItsPaths) {
  EXPECT_EQ(get("/status/404").status, 404U);
  EXPECT_EQ(get("/status/404").body, "404 Not Found\n");
  EXPECT_EQ(get("/status/204").body, "");
  EXPECT_EQ(get("/redirect/2").status, 302U);
  EXPECT_EQ(get("/redirect/2").headers, "Content-Type: text/plain\r\nLocation: /redirect/1\r\n");
  EXPECT_EQ(get("/redirect/0").status, 200U);
  EXPECT_EQ(get("/bytes/1000").length(), 1000U);
  EXPECT_EQ(get("/bytes/0").length(), 0U);
  EXPECT_EQ(get("/delay/200ms").delay, 200ms);
  EXPECT_THAT(get("/gzip/100000").headers, HasSubstr("Content-Encoding: gzip"));
  EXPECT_LT(get("/gzip/100000").length(), 5000U);
}

TEST(ServeAnswer, SaysWhatIsWrongWithAPath) {
  const std::pair<const char*, const char*> rows[] = {{"/status/99", "from 200 to 599"},
                                                      {"/status/abc", "\"abc\""},
                                                      {"/bytes/-1", "\"-1\""},
                                                      {"/redirect/", "\"\""},
                                                      {"/gzip/99999999999", "must be from 0"},
                                                      {"/delay/soon", "soon"}};
  for (const auto& [target, reason] : rows) {
    EXPECT_EQ(get(target).status, 400U) << target;
    EXPECT_THAT(get(target).body, HasSubstr(reason));
  }
}

TEST(ServeAnswer, EchoesTheRequest) {
  incoming_request request{"POST", "/echo", {{"X-A", "1"}, {"x-a", "2"}}, "body"};
  const auto echoed = boost::json::parse(answer_to(request, {}).body);
  EXPECT_EQ(echoed.at("method"), "POST");
  EXPECT_EQ(echoed.at("body"), "body");
  EXPECT_EQ(echoed.at("headers"), boost::json::parse(R"([["X-A","1"],["x-a","2"]])"));
}

TEST(ServeAnswer, CompressesForThoseWhoAccept) {
  const std::string long_path = "/" + std::string(1000, 'a');
  EXPECT_THAT(get(long_path, {}, "br, gzip").headers, HasSubstr("Content-Encoding: gzip"));
  EXPECT_THAT(get(long_path, {}, "br").headers, Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(get("/short", {}, "gzip").headers, Not(HasSubstr("Content-Encoding")));
  serve_options plain;
  plain.gzip = false;
  EXPECT_THAT(get(long_path, plain, "gzip").headers, Not(HasSubstr("Content-Encoding")));
}

TEST(ServeAnswer, FormatsDates) {
  const auto instant = std::chrono::system_clock::time_point(784'111'777s);
  EXPECT_EQ(http_date(instant), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace dspu::app
