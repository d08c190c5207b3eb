#include "dspu/redirect.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace dspu::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(ResolveRedirect, FollowsRfc3986) {
  // Section 5.4 of the RFC, as far as it stays in http.
  const std::string base = "http://a/b/c/d;p?q";
  const std::pair<const char*, const char*> rows[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"../../../..", "http://a/"},
      {"/..?x", "http://a?x"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"https://other/x", "https://other/x"},
  };
  for (const auto& [location, expected] : rows)
    EXPECT_EQ(resolve_redirect(base, location), expected) << location;
}

TEST(ResolveRedirect, EncodesWhatServersForgetToEncode) {
  EXPECT_EQ(resolve_redirect("http://h/", "/a b"), "http://h/a%20b");
  EXPECT_EQ(resolve_redirect("http://h/", " /a "), "http://h/a");
  EXPECT_EQ(resolve_redirect("http://h/", "/\xC3\xA4?q=\"x\""), "http://h/%C3%A4?q=%22x%22");
  EXPECT_EQ(resolve_redirect("http://h/", "/a?b[]=1"), "http://h/a?b%5B%5D=1");
  EXPECT_EQ(resolve_redirect("http://h/", "/100%"), "http://h/100%25");
  EXPECT_EQ(resolve_redirect("http://h/", "http://[::1]:80/a"), "http://[::1]:80/a");
}

TEST(ResolveRedirect, RefusesWhatCannotBeRequested) {
  EXPECT_THROW(resolve_redirect("http://h/", ""), std::invalid_argument);
  EXPECT_THROW(resolve_redirect("http://h/", "ftp://h/"), std::invalid_argument);
  EXPECT_THROW(resolve_redirect("http://h/", "http://h:99999/"), std::invalid_argument);
  EXPECT_THROW(resolve_redirect("http://h/", "javascript:alert(1)"), std::invalid_argument);
}

http_request request(const char* method) {
  http_request r;
  r.method = method;
  r.url = "http://h/a";
  r.headers = {{"Content-Type", "text/plain"}, {"X-Mine", "1"}};
  r.body = "body";
  return r;
}

TEST(Redirected, ChangesTheMethodAsBrowsersDo) {
  struct row {
    unsigned status;
    const char* before;
    const char* after;
    bool keeps_body;
  };
  const row rows[] = {
      {301, "POST", "GET", false}, {302, "POST", "GET", false},     {303, "POST", "GET", false},
      {303, "PUT", "GET", false},  {303, "HEAD", "HEAD", true},     {301, "HEAD", "HEAD", true},
      {301, "PUT", "PUT", true},   {302, "DELETE", "DELETE", true}, {307, "POST", "POST", true},
      {308, "POST", "POST", true}, {303, "GET", "GET", true},
  };
  for (const auto& r : rows) {
    SCOPED_TRACE(std::to_string(r.status) + " " + r.before);
    const http_request next = redirected(request(r.before), r.status, "/b");
    EXPECT_EQ(next.url, "http://h/b");
    EXPECT_EQ(next.method, r.after);
    EXPECT_EQ(next.body, r.keeps_body ? "body" : "");
    if (r.keeps_body)
      EXPECT_THAT(next.headers, ElementsAre(Pair("Content-Type", "text/plain"), Pair("X-Mine", "1")));
    else
      EXPECT_THAT(next.headers, ElementsAre(Pair("X-Mine", "1")));
  }
}

TEST(Redirected, KeepsSecretsFromOtherOrigins) {
  http_request secret;
  secret.url = "https://h/a";
  secret.headers = {
      {"authorization", "Bearer x"}, {"Cookie", "c"}, {"Proxy-Authorization", "p"}, {"Host", "v"}};
  EXPECT_THAT(redirected(secret, 302, "/b").headers, testing::SizeIs(4));
  EXPECT_THAT(redirected(secret, 302, "https://h:443/b").headers, testing::SizeIs(4));
  EXPECT_THAT(redirected(secret, 302, "https://other/b").headers, IsEmpty());
  EXPECT_THAT(redirected(secret, 302, "http://h/b").headers, IsEmpty());
  EXPECT_THAT(redirected(secret, 302, "https://h:444/b").headers, IsEmpty());
}

TEST(Redirected, KeepsTheHeadersThatAreNamedFromOtherOriginsToo) {
  http_request secret;
  secret.url = "https://h/a";
  secret.headers = {{"X-Api-Key", "k"}, {"X-Other", "o"}};
  const std::vector<std::string> names{"x-api-key"};
  EXPECT_THAT(redirected(secret, 302, "/b", names).headers, testing::SizeIs(2));
  EXPECT_THAT(redirected(secret, 302, "https://other/b", names).headers, ElementsAre(Pair("X-Other", "o")));
  EXPECT_THAT(redirected(secret, 302, "https://other/b").headers, testing::SizeIs(2)) << "as curl does";
}

TEST(Redirected, MakesAHeaderOfCredentialsInALocationIfNoneIsLeft) {
  http_request from;
  from.url = "http://h/a";
  const http_request next = redirected(from, 302, "http://user:pass@other/b");
  EXPECT_EQ(next.url, "http://other/b");
  EXPECT_THAT(next.headers, ElementsAre(Pair("Authorization", "Basic dXNlcjpwYXNz")));
  from.headers = {{"Authorization", "Bearer x"}};
  EXPECT_THAT(redirected(from, 302, "http://user:pass@h/b").headers,
              ElementsAre(Pair("Authorization", "Bearer x")));
}

TEST(Redirected, ShowsNoPasswordOfALocation) {
  try {
    redirected(request("GET"), 302, "ftp://user:secret@h/");
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("secret")));
  }
}

TEST(RedirectProblem, IsOfAnswersThatLeadNowhere) {
  EXPECT_EQ(redirect_problem(200, ""), "");
  EXPECT_EQ(redirect_problem(304, ""), "");
  EXPECT_EQ(redirect_problem(302, "/b"), "");
  EXPECT_EQ(redirect_problem(404, "/b"), "");
  EXPECT_EQ(redirect_problem(302, ""), "status 302 has no Location to follow");
  for (const unsigned status : {300U, 305U, 306U, 399U})
    EXPECT_EQ(redirect_problem(status, "/b"),
              "status " + std::to_string(status) + " leads elsewhere, in a way that is not followed");
}

TEST(Redirected, RefusesOtherStatuses) {
  for (const unsigned status : {200U, 300U, 304U, 305U, 404U}) {
    EXPECT_FALSE(is_redirect(status));
    EXPECT_THROW(redirected(request("GET"), status, "/b"), std::invalid_argument);
  }
}

}  // namespace
}  // namespace dspu::app
