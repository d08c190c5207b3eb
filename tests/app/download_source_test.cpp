#include "dspu/download_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dspu::app {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

http_response answer(header_list headers, unsigned status = 200) {
  http_response head;
  head.status = status;
  head.headers = std::move(headers);
  return head;
}

constexpr auto earlier = "Sat, 31 Jan 2026 12:00:00 GMT";
constexpr auto much_later = "Sat, 31 Jan 2026 12:01:00 GMT";

TEST(DownloadSource, IsWhatWouldTellOfAChange) {
  EXPECT_EQ(source_of(answer({{"Content-Length", "10"}, {"ETag", "\"x\""}})), (download_source{"\"x\"", 10}));
  EXPECT_EQ(source_of(answer({{"Content-Length", "10"}, {"ETag", "\"x\""}, {"Last-Modified", earlier}})),
            (download_source{"\"x\"", 10}));
  EXPECT_EQ(source_of(answer({{"content-length", "10"}, {"last-modified", earlier}, {"date", much_later}})),
            (download_source{earlier, 10}));
}

TEST(DownloadSource, IsNothingThatCouldChangeUnseen) {
  const header_list rows[] = {
      {{"ETag", "\"x\""}},                              // how long is it?
      {{"Content-Length", "10"}},                       // of what?
      {{"Content-Length", "10"}, {"ETag", "W/\"x\""}},  // weak
      {{"Content-Length", "10"}, {"ETag", "W/\"x\""}, {"Last-Modified", earlier}, {"Date", much_later}},
      {{"Content-Length", "10"}, {"Last-Modified", earlier}},  // when was that said?
      {{"Content-Length", "10"}, {"Last-Modified", earlier}, {"Date", "Sat, 31 Jan 2026 12:00:59 GMT"}},
      {{"Content-Length", "10"}, {"ETag", "\"x\""}, {"Content-Encoding", "gzip"}},
      {{"Content-Length", "10"}, {"ETag", "\"x\""}, {"Transfer-Encoding", "chunked"}},
      {{"Content-Length", "ten"}, {"ETag", "\"x\""}},
  };
  for (const auto& headers : rows) EXPECT_EQ(source_of(answer(headers)), std::nullopt);
  EXPECT_EQ(source_of(answer({{"Content-Length", "10"}, {"ETag", "\"x\""}}, 404)), std::nullopt);
}

TEST(DownloadSource, AsksForTheRest) {
  EXPECT_THAT(
      headers_for_rest({"\"x\"", 10}, 4),
      ElementsAre(Pair("Range", "bytes=4-"), Pair("If-Range", "\"x\""), Pair("Accept-Encoding", "identity")));
}

TEST(DownloadSource, KnowsItsContinuation) {
  const download_source source{"\"x\"", 10};
  const auto of = [&](unsigned status, header_list headers) {
    return continuation_in(answer(std::move(headers), status), source, 4);
  };
  EXPECT_EQ(of(206, {{"Content-Range", "bytes 4-9/10"}, {"ETag", "\"x\""}}), continuation::rest);
  EXPECT_EQ(of(206, {{"Content-Range", "bytes 4-9/10"}}), continuation::rest);
  EXPECT_EQ(of(200, {}), continuation::anew);
  EXPECT_EQ(of(503, {}), continuation::other);
  EXPECT_EQ(of(302, {}), continuation::other);
  EXPECT_EQ(of(416, {}), continuation::wrong);
  for (const char* range :
       {"", "bytes 3-9/10", "bytes 5-9/10", "bytes 4-8/10", "bytes 4-9/11", "bytes 4-10/11", "bytes 4-9/*",
        "bytes */10", "bytes 4-9/10 ", "bytes=4-9/10", "bytes -4-9/10"})
    EXPECT_EQ(of(206, {{"Content-Range", range}}), continuation::wrong) << range;
  EXPECT_EQ(of(206, {{"Content-Range", "bytes 4-9/10"}, {"ETag", "\"y\""}}), continuation::wrong);
  EXPECT_EQ(of(206, {{"Content-Range", "bytes 4-9/10"}, {"Content-Encoding", "gzip"}}), continuation::wrong);
}

TEST(DownloadSource, IsReadAsItWasWritten) {
  const download_source source{"\"quotes \\\" and more\"", 1ull << 40};
  const std::string line = to_line(source, "http://user:secret@h/");
  EXPECT_EQ(line.find("secret"), line.npos);
  EXPECT_EQ(download_source_from(line, "http://user:secret@h/"), source);
  EXPECT_EQ(download_source_from(line, "http://h/"), std::nullopt);
  for (const char* other : {"", "{}", "[]", "null", "{\"of\":1,\"validator\":2,\"length\":3}", "torn {"})
    EXPECT_EQ(download_source_from(other, "http://h/"), std::nullopt) << other;
}

}  // namespace
}  // namespace dspu::app
