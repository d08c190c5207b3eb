// One HTTP/1.1 connection, and the exchanges on it, one after the other.
#pragma once

#include "dspu/content_decoder.hpp"
#include "dspu/exchange_watch.hpp"
#include "dspu/outgoing_request.hpp"
#include "dspu/transport.hpp"
#include "dspu/wire_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <cstdint>
#include <limits>
#include <string>

namespace dspu::app {

// What an exchange may take.
struct exchange_terms {
  std::uint64_t max_body = std::numeric_limits<std::uint64_t>::max();
  transfer_limits limits{};
  // When the header of the answer must be there.
  watched_exchange::clock::time_point answer_by = watched_exchange::clock::time_point::max();
  const exchange_watch* watch = nullptr;  // enforces the limits; without it there are none
};

// Thread-safety: none. Destroying it closes it.
class connection {
 public:
  // `who` names the peer in errors.
  connection(const boost::asio::any_io_executor& executor, std::string who);

  wire_stream& stream() { return stream_; }
  const std::string& who() const { return who_; }

  // Suspends: until the whole response has been handed to `sink`.
  // Throws: transport_error. On cancel: system_error(operation_aborted). After either, destroy the
  // connection.
  boost::asio::awaitable<http_response> exchange(const outgoing_request& request, body_sink& sink,
                                                 exchange_terms terms);

  // About the last exchange. Whether another may follow it here:
  bool reusable() const { return reusable_; }
  // Whether the server has shown, or said, that it keeps connections for more than one exchange.
  bool is_kept() const { return kept_; }
  // Whether it ended in a closed connection before any byte of an answer, as when the server had closed the
  // idle connection just before: then the request may be sent once more, if being done twice does no harm.
  bool closed_unanswered() const { return closed_unanswered_; }
  bool wrote_anything() const { return written_ > 0; }

 private:
  struct reception;
  [[noreturn]] void give_up(const reception& answer, transfer_pace::fault why,
                            const exchange_terms& terms) const;
  void take(reception& answer, std::size_t read, const boost::system::error_code& ec);
  void feed(reception& answer);
  void end_of_stream(reception& answer, const boost::system::error_code& why);

  wire_stream stream_;
  std::string who_;
  boost::beast::flat_buffer buffer_;
  content_decoder decoder_;
  std::size_t written_ = 0;
  bool used_ = false;
  bool answered_ = false;  // a byte of an answer has come, be it an interim one
  bool reusable_ = false;
  bool kept_ = false;
  bool closed_unanswered_ = false;
};

}  // namespace dspu::app
