#include "dspu/response_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dspu::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::ElementsAre;

using found = response_parser::found;

struct reading {
  unsigned status = 0;
  header_list headers;
  std::string body;
  bool whole = false;
  bool keeps_alive = false;
  std::string left;   // behind the response
  std::string error;  // why it is refused
};

// Reads it in pieces of `size`; the stream ends behind it.
reading read_in_pieces(const std::string& bytes, std::size_t size, const response_parser::expectations& expect) {
  response_parser parser(expect);
  reading got;
  std::string buffer;
  std::size_t sent = 0;
  try {
    while (true) {
      std::string_view in = buffer;
      std::string_view piece;
      const found what = parser.next(in, piece);
      if (what == found::head) {
        got.status = parser.status();
        got.headers = parser.headers();
      }
      if (what == found::body) got.body += piece;
      buffer.erase(0, buffer.size() - in.size());
      if (what == found::end) break;
      if (what != found::more) continue;
      if (sent == bytes.size()) break;
      buffer += bytes.substr(sent, size);
      sent = std::min(sent + size, bytes.size());
    }
    got.whole = parser.is_whole() || (parser.has_head() && parser.ends_with_stream());
    if (parser.has_head()) got.keeps_alive = parser.keeps_alive();
  } catch (const malformed_response& error) {
    got.error = error.what();
  }
  got.left = buffer + bytes.substr(sent);
  return got;
}

reading read(const std::string& bytes, const response_parser::expectations& expect = {}) {
  const reading whole = read_in_pieces(bytes, bytes.size() + 1, expect);
  for (const std::size_t size : {1u, 2u, 7u}) {
    const reading pieces = read_in_pieces(bytes, size, expect);
    EXPECT_EQ(pieces.status, whole.status) << size;
    EXPECT_EQ(pieces.headers, whole.headers) << size;
    EXPECT_EQ(pieces.body, whole.body) << size;
    EXPECT_EQ(pieces.whole, whole.whole) << size;
    EXPECT_EQ(pieces.keeps_alive, whole.keeps_alive) << size;
    EXPECT_EQ(pieces.error.empty(), whole.error.empty()) << size << " " << pieces.error << whole.error;
    if (whole.error.empty()) {
      EXPECT_EQ(pieces.left, whole.left) << size;
    }
  }
  return whole;
}

std::string chunked(const std::string& chunks, const std::string& more = "") {
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + more + "\r\n" + chunks;
}

std::string sized(const std::string& headers) { return "HTTP/1.1 200 OK\r\n" + headers + "Content-Length: 5\r\n\r\nhello"; }

struct accepted_row {
  const char* name;
  std::string bytes;
  bool keeps_alive;
  const char* body = "hello";
};

TEST(ResponseParser, AcceptsWhatCanBeReadInOneWay) {
  const accepted_row rows[] = {
      {"length", sized(""), true},
      {"no reason phrase", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", true},
      {"empty reason phrase", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", true},
      {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b\n\nhello", true},
      {"mixed ends of lines", "HTTP/1.1 200 OK\r\nContent-Length: 5\nX-A: b\r\n\r\nhello", true},
      {"a minor version of the future", "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
      {"no blank behind the colon", "HTTP/1.1 200 OK\r\nContent-Length:5\r\n\r\nhello", true},
      {"many blanks", "HTTP/1.1 200 OK\r\nContent-Length: \t 5 \t\r\n\r\nhello", true},
      {"one length twice", sized("Content-Length: 5\r\n"), true},
      {"one length in a list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", true},
      {"a header line that goes on", sized("X-Fold: a\r\n b\r\n\tc\r\n"), true},
      {"a blank before the colon", sized("X-A : b\r\n"), false},
      {"a name with a blank", sized("My Header: x\r\n"), false},
      {"a name with a blank, which goes on", sized("My Header: x\r\n y\r\n"), false},
      {"no name", sized(": x\r\n"), false},
      {"a control character", sized(std::string("X-A: a\x01" "b\r\n")), true},
      {"a bare CR in a value", sized("X-A: a\rb\r\n"), true},
      {"Latin-1", sized("X-A: gr\xfc\xdf\r\n"), true},
      {"close", sized("Connection: x, Close\r\n"), false},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false},
      {"HTTP/1.0 kept alive", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\nhello", true},
      {"until the end", "HTTP/1.1 200 OK\r\n\r\nhello", false},
      {"identity", sized("Transfer-Encoding: identity\r\n"), false},
      {"identity, until the end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello", false},
      {"chunks", chunked("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), true},
      {"chunks in capitals", "HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", true, "0123456789"},
      {"zeros before the size", chunked("000000000000000000005\r\nhello\r\n0000\r\n\r\n"), true},
      {"blanks behind the size", chunked("5 \t \r\nhello\r\n0 \r\n\r\n"), true},
      {"an extension", chunked("5;a=b;c=\"d;e\"\r\nhello\r\n0;x\r\n\r\n"), true},
      {"a trailer", chunked("5\r\nhello\r\n0\r\nX-Check: abc\r\nX-B: c\r\n\r\n"), true},
      {"a length in the trailer", chunked("5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n"), true},
      {"both framings", chunked("5\r\nhello\r\n0\r\n\r\n", "Content-Length: 3\r\n"), false},
      {"chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false},
      {"an interim response", "HTTP/1.1 100 Continue\r\n\r\n" + sized(""), true},
      {"an interim response that says something of a body",
       "HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nMy Header: x\r\n\r\n" + sized(""), true},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", true, ""},
      {"no content, with a length of 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true, ""},
      {"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", true, ""},
      {"an empty body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, ""},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const reading got = read(row.bytes);
    EXPECT_EQ(got.error, "");
    EXPECT_TRUE(got.whole);
    EXPECT_EQ(got.body, row.body);
    EXPECT_EQ(got.keeps_alive, row.keeps_alive);
    EXPECT_EQ(got.left, "");
  }
}

struct refused_row {
  const char* name;
  std::string bytes;
  const char* why;
};

TEST(ResponseParser, RefusesWhatCannotBeReadSafelyAndSaysWhy) {
  const std::string no_status = "it does not begin with HTTP/1.0 or HTTP/1.1 and a status of three digits";
  const std::string nul(1, '\0');
  const refused_row rows[] = {
      {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "but with \"SSH-2.0-OpenSSH_9.2\""},
      {"another protocol without lines", std::string("\x15\x03\x01", 3), "but with \"???\""},
      {"shoutcast", "ICY 200 OK\r\n\r\n", "\"ICY 200 OK\""},
      {"an empty line", "\r\nHTTP/1.1 200 OK\r\n\r\n", no_status.c_str()},
      {"HTTP/2", "HTTP/2 200 OK\r\n\r\n", no_status.c_str()},
      {"small letters", "http/1.1 200 OK\r\n\r\n", no_status.c_str()},
      {"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", no_status.c_str()},
      {"a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", no_status.c_str()},
      {"a status below 100", "HTTP/1.1 099 OK\r\n\r\n", no_status.c_str()},
      {"no status", "HTTP/1.1 OK\r\n\r\n", no_status.c_str()},
      {"no colon", "HTTP/1.1 200 OK\r\nGarbage line\r\n\r\n", "\"Garbage line\" has no colon"},
      {"a first line that goes on", "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "begins with a blank"},
      {"a NUL", sized("X-A: a" + nul + "b\r\n"), "NUL"},
      {"two lengths", sized("Content-Length: 6\r\n"), "both 6 and 5"},
      {"a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello", "both 5 and 6"},
      {"a sign", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", "\"+5\""},
      {"a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "\"-5\""},
      {"an empty length", "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello", "\"\""},
      {"a length of 2^64", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nhello", "18446744073709551616"},
      {"an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding is \"gzip\""},
      {"chunked twice", chunked("0\r\n\r\n", "Transfer-Encoding: chunked\r\n"), "chunked twice"},
      {"chunked twice in a list", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "chunked twice"},
      {"no size", chunked("\r\nhello\r\n0\r\n\r\n"), "size of a chunk is \"\""},
      {"letters for a size", chunked("zz\r\nhello\r\n"), "\"zz\""},
      {"0x", chunked("0x5\r\nhello\r\n"), "\"0x5\""},
      {"a negative size", chunked("-5\r\nhello\r\n"), "\"-5\""},
      {"blanks before the size", chunked(" 5\r\nhello\r\n"), "\" 5\""},
      {"a size of 2^64", chunked("10000000000000000\r\nhello\r\n"), "size of a chunk"},
      {"a bare LF behind the size", chunked("5\nhello\r\n0\r\n\r\n"), "does not end in CR LF"},
      {"a bare CR in an extension", chunked("5;\rx\r\nhello\r\n0\r\n\r\n"), "does not end in CR LF"},
      {"a bare LF behind a chunk", chunked("5\r\nhello\n0\r\n\r\n"), "does not end in CR LF"},
      {"more than the size says", chunked("5\r\nhello!\r\n0\r\n\r\n"), "longer than its size says"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_THAT(read(row.bytes).error, HasSubstr(row.why));
  }
}

TEST(ResponseParser, LimitsHeaderTrailerAndInterimResponsesTogether) {
  const auto lines = [](std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += "X-Header: " + std::string(1000, 'x') + "\r\n";
    return text;
  };
  const auto error_of = [](const std::string& bytes) {
    return read_in_pieces(bytes, 10'000, {}).error;
  };
  EXPECT_EQ(error_of(sized("X: " + std::string(250 * 1024, 'x') + "\r\n")), "");
  EXPECT_EQ(error_of(sized(lines(250 * 1024))), "");
  EXPECT_EQ(read_in_pieces(sized(lines(250 * 1024)), 10'000, {}).body, "hello");
  EXPECT_THAT(error_of(sized(lines(257 * 1024))), HasSubstr("limit of 256 KiB"));
  EXPECT_THAT(error_of("HTTP/1.1 200 OK\r\nX: " + std::string(257 * 1024, 'x')), HasSubstr("limit of 256 KiB"));
  EXPECT_THAT(error_of(chunked("0\r\n" + lines(257 * 1024))), HasSubstr("limit of 256 KiB"));
  EXPECT_THAT(error_of(chunked("1;" + std::string(17 * 1024, 'x'))), HasSubstr("longer than 16 KiB"));
  std::string interim;
  for (int i = 0; i < 1000; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_EQ(error_of(interim + sized("")), "");
  for (int i = 0; i < 10'000; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_THAT(error_of(interim), HasSubstr("limit of 256 KiB"));
}

TEST(ResponseParser, GivesHeadersThatCanBeKept) {
  const reading got = read(
      "HTTP/1.1 200 OK\r\nX-A:  1 \r\nx-a: 2\r\nFolded: a\r\n  b\r\nMy Header: lost\r\n  lost, too\r\nControl: "
      "a\x1b[1mb\x7f\r\nEmpty:\r\nSpaced : c\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(got.headers,
              ElementsAre(Pair("X-A", "1"), Pair("x-a", "2"), Pair("Folded", "a b"), Pair("Control", "a [1mb "),
                          Pair("Empty", ""), Pair("Spaced", "c"), Pair("Content-Length", "0")));
}

TEST(ResponseParser, ExpectsNoBodyWhereThereCanBeNone) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
  const reading got = read(head, {.body = false});
  EXPECT_TRUE(got.whole);
  EXPECT_TRUE(got.keeps_alive);
  EXPECT_EQ(got.headers.size(), 1u);
  // What a server may have sent behind it would be taken for the next response.
  EXPECT_FALSE(read("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n").keeps_alive);
  EXPECT_FALSE(read("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n").keeps_alive);
  EXPECT_TRUE(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", {.body = false}).keeps_alive);
}

TEST(ResponseParser, LeavesWhatFollows) {
  EXPECT_EQ(read(sized("") + "HTTP/1.1 200").left, "HTTP/1.1 200");
  EXPECT_EQ(read(chunked("1\r\nx\r\n0\r\n\r\n") + "more").left, "more");
  EXPECT_EQ(read("HTTP/1.1 204 No Content\r\n\r\nmore").left, "more");
}

TEST(ResponseParser, IsNotWholeBeforeItsEnd) {
  for (const std::string& bytes : {std::string("HTTP/1.1 20"), std::string("HTTP/1.1 200 OK\r\n"), sized("").substr(0, 40),
                                   chunked("5\r\nhello\r\n"), chunked("5\r\nhello\r\n0\r\n")})
    EXPECT_FALSE(read(bytes).whole) << bytes;
}

}  // namespace
}  // namespace dspu::app
