#include "dspu/tls_context.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <stdexcept>

namespace dspu::app {

namespace ssl = boost::asio::ssl;

ssl::context make_client_tls(const tls_options& options) {
  ssl::context context(ssl::context::tls_client);
  constexpr std::array<unsigned char, 9> http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  if (SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_alpn_protos(context.native_handle(), http_1_1.data(), http_1_1.size()) != 0)
    throw std::runtime_error("OpenSSL cannot be set up for TLS 1.2 and HTTP/1.1");
  context.set_verify_mode(options.insecure ? ssl::verify_none : ssl::verify_peer);
  if (!options.cacert.empty()) {
    boost::system::error_code ec;
    context.load_verify_file(options.cacert, ec);
    if (ec)
      throw std::invalid_argument("cacert \"" + options.cacert +
                                  "\" cannot be read as a PEM file of certificates: " + ec.message());
  } else if (!options.insecure) {
    context.set_default_verify_paths();
  }
  return context;
}

bool expect_host(SSL* session, const std::string& host, bool insecure) {
  std::string name = host;
  if (name.ends_with('.')) name.pop_back();  // the root's dot is no part of a certificate's name
  // OpenSSL takes an empty name for "any host", and one with a dot in front for "any host below".
  if (name.empty() || name.starts_with('.') || name.find('\0') != name.npos) return false;
  boost::system::error_code not_an_address;
  const auto address = boost::asio::ip::make_address(name, not_an_address);
  if (not_an_address && SSL_set_tlsext_host_name(session, name.c_str()) != 1) return false;
  if (insecure) return true;
  // OpenSSL's own check, and not Asio's callback: it leaves the reason in the verification result.
  if (not_an_address) {
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(session, name.c_str()) == 1;
  }
  X509_VERIFY_PARAM* expected = SSL_get0_param(session);
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    return X509_VERIFY_PARAM_set1_ip(expected, bytes.data(), bytes.size()) == 1;
  }
  const auto bytes = address.to_v6().to_bytes();  // a zone is no part of it
  return X509_VERIFY_PARAM_set1_ip(expected, bytes.data(), bytes.size()) == 1;
}

std::string tls_failure_text(const SSL* session, const boost::system::error_code& error) {
  const long verdict = SSL_get_verify_result(session);
  if (SSL_get_verify_mode(session) != SSL_VERIFY_NONE && verdict != X509_V_OK)
    return std::string("the certificate is not accepted: ") + X509_verify_cert_error_string(verdict);
  if (error == boost::asio::error::eof || error == ssl::error::stream_truncated)
    return "the peer closed the connection during the TLS handshake";
  if (error.category() == boost::asio::error::get_ssl_category()) {
    const char* reason = ERR_reason_error_string(static_cast<unsigned long>(error.value()));
    if (reason != nullptr) return std::string("TLS handshake failed: ") + reason;
  }
  return "TLS handshake failed: " + error.message();
}

}  // namespace dspu::app
