#include "dspu/proxy.hpp"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

namespace dspu::app {
namespace {

using variables = std::map<std::string, std::string>;

proxy_rules::environment environment(const variables& v) {
  return [v = std::make_shared<variables>(v)](const char* name) -> const char* {
    const auto found = v->find(name);
    return found == v->end() ? nullptr : found->second.c_str();
  };
}

std::string chosen(const proxy_rules& rules, const char* url) {
  const proxy_server* proxy = rules.for_origin(parse_url(url).server);
  return proxy == nullptr ? "direct" : proxy->to_string();
}

TEST(Proxy, ReadsUrls) {
  struct row {
    const char* url;
    const char* expected;
    const char* authorization;
  };
  const row rows[] = {
      {"http://proxy:3128", "proxy:3128", ""},
      {"proxy:3128", "proxy:3128", ""},
      {"http://proxy:80", "proxy:80", ""},
      {"http://proxy", "proxy:1080", ""},
      {"http://proxy/", "proxy:1080", ""},
      {"http://user:pass@proxy:1", "proxy:1", "Basic dXNlcjpwYXNz"},
      {"http://user:p%40ss@proxy", "proxy:1080", "Basic dXNlcjpwQHNz"},
      {"http://[::1]:3128", "[::1]:3128", ""},
      {"http://[::1]", "[::1]:1080", ""},
  };
  for (const auto& r : rows) {
    SCOPED_TRACE(r.url);
    const proxy_server proxy = parse_proxy("--proxy", r.url);
    EXPECT_EQ(proxy.to_string(), r.expected);
    EXPECT_EQ(proxy.authorization, r.authorization);
  }
}

TEST(Proxy, ShowsNoPasswordOfABadUrl) {
  for (const char* url : {"socks4://user:secret@proxy:1080", "user:secret@pro xy",
                          "http://user:secret@h:99999", "http://user:sec/ret@proxy", "http://user:secret@"}) {
    try {
      static_cast<void>(parse_proxy("--proxy", url));
      ADD_FAILURE() << url << " was accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(std::string(error.what()).find("ret"), std::string::npos) << error.what();
    }
  }
}

TEST(Proxy, SpeaksSocks5) {
  const proxy_server proxy = parse_proxy("--proxy", "socks5h://us%40er:p:w@proxy");
  EXPECT_EQ(proxy.speaks, proxy_server::protocol::socks5h);
  EXPECT_EQ(proxy.to_string(), "socks5://proxy:1080");
  EXPECT_EQ(proxy.user, "us@er");
  EXPECT_EQ(proxy.password, "p:w");
  EXPECT_EQ(proxy.authorization, "");
  EXPECT_EQ(parse_proxy("--proxy", "socks5://proxy:9").speaks, proxy_server::protocol::socks5);
}

TEST(Proxy, NamesTheSourceOfABadUrl) {
  for (const char* url :
       {"socks4://proxy:1080", "https://proxy", "http://", "http://pro xy", "http://proxy:99999"}) {
    try {
      static_cast<void>(parse_proxy("ALL_PROXY", url));
      ADD_FAILURE() << url << " was accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("ALL_PROXY"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(url), std::string::npos) << error.what();
    }
  }
}

TEST(Proxy, FollowsTheEnvironmentAsCurlDoes) {
  struct row {
    variables env;
    const char* http;
    const char* https;
  };
  const row rows[] = {
      {{}, "direct", "direct"},
      {{{"http_proxy", "a:1"}}, "a:1", "direct"},
      {{{"HTTP_PROXY", "a:1"}}, "direct", "direct"},
      {{{"https_proxy", "a:1"}}, "direct", "a:1"},
      {{{"HTTPS_PROXY", "a:1"}}, "direct", "a:1"},
      {{{"https_proxy", "a:1"}, {"HTTPS_PROXY", "b:1"}}, "direct", "a:1"},
      {{{"ALL_PROXY", "a:1"}}, "a:1", "a:1"},
      {{{"all_proxy", "a:1"}, {"ALL_PROXY", "b:1"}}, "a:1", "a:1"},
      {{{"ALL_PROXY", "a:1"}, {"http_proxy", "b:1"}}, "b:1", "a:1"},
      {{{"http_proxy", ""}, {"ALL_PROXY", "a:1"}}, "a:1", "a:1"},
  };
  for (const auto& r : rows) {
    const proxy_rules rules(std::nullopt, environment(r.env));
    EXPECT_EQ(chosen(rules, "http://h/"), r.http);
    EXPECT_EQ(chosen(rules, "https://h/"), r.https);
  }
}

TEST(Proxy, PrefersTheOption) {
  const auto env = environment({{"ALL_PROXY", "a:1"}});
  EXPECT_EQ(chosen(proxy_rules("b:2", env), "http://h/"), "b:2");
  EXPECT_EQ(chosen(proxy_rules("b:2", env), "https://h/"), "b:2");
  EXPECT_EQ(chosen(proxy_rules("", env), "http://h/"), "direct");
}

TEST(Proxy, MindsAVariableThatCannotBeUsedOnlyWhereItIsMeant) {
  const variables bad{{"ALL_PROXY", "gopher://p:1"}, {"https_proxy", "a:1"}};
  const proxy_rules rules(std::nullopt, environment(bad));
  EXPECT_EQ(chosen(rules, "https://h/"), "a:1");
  try {
    static_cast<void>(rules.for_origin(parse_url("http://h/").server));
    ADD_FAILURE() << "gopher:// was taken for a proxy";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("ALL_PROXY"), std::string::npos) << error.what();
  }
  variables exempt = bad;
  exempt["no_proxy"] = "*";
  EXPECT_EQ(chosen(proxy_rules(std::nullopt, environment(exempt)), "http://h/"), "direct");
  EXPECT_EQ(chosen(proxy_rules("", environment(bad)), "http://h/"), "direct");
}

TEST(Proxy, ExemptsHosts) {
  struct row {
    const char* no_proxy;
    const char* url;
    bool exempt;
  };
  const row rows[] = {
      {"*", "http://h/", true},
      {"example.com", "http://example.com/", true},
      {"example.com", "http://www.example.com/", true},
      {"example.com", "http://notexample.com/", false},
      {"example.com", "http://example.com.evil/", false},
      {".example.com", "http://www.example.com/", true},
      {".example.com", "http://example.com/", true},
      {"EXAMPLE.com", "http://www.Example.COM/", true},
      {"a.example, b.example", "http://b.example/", true},
      {"a.example b.example", "http://b.example/", true},
      {"a.example,,", "http://c.example/", false},
      {"127.0.0.1", "http://127.0.0.1:8080/", true},
      {"0.0.1", "http://127.0.0.1/", false},
      {"10.0.0.0/8", "http://10.1.2.3/", true},
      {"10.0.0.0/8", "http://11.1.2.3/", false},
      {"[::1]", "http://[::1]/", true},
      {"fd00::/8", "http://[fd12::1]/", true},
      {"fd00::/8", "http://[fe80::1]/", false},
  };
  for (const auto& r : rows) {
    SCOPED_TRACE(std::string(r.no_proxy) + " " + r.url);
    for (const char* name : {"no_proxy", "NO_PROXY"}) {
      const proxy_rules rules("p:1", environment({{name, r.no_proxy}}));
      EXPECT_EQ(chosen(rules, r.url), r.exempt ? "direct" : "p:1");
    }
  }
}

}  // namespace
}  // namespace dspu::app
