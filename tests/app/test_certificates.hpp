// Certificates made when a test needs them: an authority of its own, and leaves that are right or wrong.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace dspu::app::test {

class test_certificates {
 public:
  struct files {
    std::string certificate;
    std::string private_key;
  };

  test_certificates() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dspu-tls-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = pattern;
    authority_key_ = make_key();
    authority_ =
        make_certificate("dspu test authority", "", authority_key_.get(), nullptr, authority_key_.get(), 1);
    write_certificate(authority_file(), authority_.get());
  }
  ~test_certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  test_certificates(const test_certificates&) = delete;
  test_certificates& operator=(const test_certificates&) = delete;

  std::string authority_file() const { return (directory_ / "authority.pem").string(); }

  // `names` as in a subjectAltName: "DNS:example.test,IP:127.0.0.1". Valid until `days` from now.
  files leaf(const std::string& names, int days = 1) {
    const auto key = make_key();
    const auto certificate =
        make_certificate("leaf", names, key.get(), authority_.get(), authority_key_.get(), days);
    return write(certificate.get(), key.get());
  }

  files self_signed(const std::string& names) {
    const auto key = make_key();
    const auto certificate = make_certificate("self-signed", names, key.get(), nullptr, key.get(), 1);
    return write(certificate.get(), key.get());
  }

 private:
  using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using certificate_ptr = std::unique_ptr<X509, decltype(&X509_free)>;

  static key_ptr make_key() { return {EVP_EC_gen("P-256"), &EVP_PKEY_free}; }

  static void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    if (extension == nullptr) throw std::runtime_error("bad extension: " + value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  certificate_ptr make_certificate(const std::string& name, const std::string& names, EVP_PKEY* key,
                                   X509* issuer, EVP_PKEY* issuer_key, int days) {
    certificate_ptr certificate(X509_new(), &X509_free);
    X509* c = certificate.get();
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial_);
    constexpr long day = 24L * 60 * 60;
    X509_gmtime_adj(X509_getm_notBefore(c), -10 * day);
    X509_gmtime_adj(X509_getm_notAfter(c), days * day);
    X509_set_pubkey(c, key);
    X509_NAME* subject = X509_get_subject_name(c);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(c, issuer == nullptr ? subject : X509_get_subject_name(issuer));
    if (names.empty()) extend(c, c, NID_basic_constraints, "critical,CA:TRUE");
    if (!names.empty()) extend(c, issuer == nullptr ? c : issuer, NID_subject_alt_name, names);
    if (X509_sign(c, issuer_key, EVP_sha256()) == 0) throw std::runtime_error("cannot sign");
    return certificate;
  }

  static void write_certificate(const std::string& path, X509* certificate) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "w"), &BIO_free);
    if (PEM_write_bio_X509(file.get(), certificate) != 1) throw std::runtime_error("cannot write " + path);
  }

  files write(X509* certificate, EVP_PKEY* key) {
    const std::string stem = (directory_ / std::to_string(serial_)).string();
    files result{stem + ".pem", stem + ".key"};
    write_certificate(result.certificate, certificate);
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(result.private_key.c_str(), "w"),
                                                         &BIO_free);
    if (PEM_write_bio_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
      throw std::runtime_error("cannot write " + result.private_key);
    return result;
  }

  std::filesystem::path directory_;
  long serial_ = 0;
  key_ptr authority_key_{nullptr, &EVP_PKEY_free};
  certificate_ptr authority_{nullptr, &X509_free};
};

}  // namespace dspu::app::test
