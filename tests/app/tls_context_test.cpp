#include "dspu/tls_context.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace dspu::app {
namespace {

using session_ptr = std::unique_ptr<SSL, decltype(&SSL_free)>;

class TlsContext : public ::testing::Test {
 protected:
  boost::asio::ssl::context context = make_client_tls({});

  bool expects(const std::string& host, bool insecure = false) {
    const session_ptr session(SSL_new(context.native_handle()), &SSL_free);
    return expect_host(session.get(), host, insecure);
  }
};

TEST_F(TlsContext, ExpectsTheHostThatItIsTold) {
  for (const char* host : {"example.com", "example.com.", "127.0.0.1", "::1", "fe80::1%1"})
    EXPECT_TRUE(expects(host)) << host;
}

// OpenSSL takes an empty name for the wish to check none, and a name with a dot in front for all below it.
TEST_F(TlsContext, TakesNoNameThatSwitchesTheCheckOff) {
  for (const std::string& host :
       {std::string(), std::string("."), std::string(".."), std::string(".example.com"),
        std::string("\0.example.com", 13), std::string("a\0b", 3)}) {
    EXPECT_FALSE(expects(host)) << host;
    EXPECT_FALSE(expects(host, true)) << host;
  }
  EXPECT_FALSE(expects(std::string(300, 'a'))) << "too long for SNI";
}

}  // namespace
}  // namespace dspu::app
