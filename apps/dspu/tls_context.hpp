// OpenSSL, set up for a client: whom it trusts, how it says whom it means, and why it refused, in words.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

#include <string>

namespace dspu::app {

struct tls_options {
  bool insecure = false;  // no verification at all
  std::string cacert;     // PEM file of the trusted certificates; empty: the system's store
};

// TLS 1.2 and later, HTTP/1.1 by ALPN.
// Throws: std::invalid_argument naming the file if `cacert` cannot be read; std::runtime_error if OpenSSL
// takes none of this.
boost::asio::ssl::context make_client_tls(const tls_options& options);

// Makes one session name `host` (SNI; not for an address) and, unless insecure, insist on a certificate for
// it. Returns: whether OpenSSL does so; if not, the session must not be used: it would accept any host's.
[[nodiscard]] bool expect_host(SSL* session, const std::string& host, bool insecure);

// Why a handshake failed: the certificate's fault if there is one, else OpenSSL's reason.
std::string tls_failure_text(const SSL* session, const boost::system::error_code& error);

}  // namespace dspu::app
