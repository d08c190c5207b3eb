#include "dspu/socks_tunnel.hpp"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace dspu::app {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr char version = 5;
constexpr char no_authentication = 0;
constexpr char user_and_password = 2;
constexpr char connect_command = 1;
constexpr char ipv4 = 1;
constexpr char domain_name = 3;
constexpr char ipv6 = 4;
constexpr std::size_t longest = 255;  // a length is a byte

socks_answer refused(transport_failure kind, std::string reason) { return {kind, std::move(reason), {}}; }

socks_answer malformed() {
  return refused(transport_failure::protocol, "sent a malformed answer; is it a SOCKS5 proxy?");
}

socks_answer broken(const error_code& error) { return {std::nullopt, {}, error}; }

void append_short(std::string& out, std::string_view text) {
  out += static_cast<char>(static_cast<unsigned char>(text.size()));
  out += text;
}

// No byte more: what follows belongs to the tunnel.
asio::awaitable<error_code> read_exactly(wire_stream& stream, char* into, std::size_t size) {
  error_code error;
  for (std::size_t have = 0; have < size && !error;)
    have += co_await stream.read_some(asio::buffer(into + have, size - have), error);
  co_return error;
}

std::string connect_request(const socks_target& target) {
  std::string request{version, connect_command, 0};
  if (!target.address) {
    request += domain_name;
    append_short(request, target.host);
  } else if (target.address->is_v4()) {
    request += ipv4;
    for (const unsigned char byte : target.address->to_v4().to_bytes()) request += static_cast<char>(byte);
  } else {
    request += ipv6;
    for (const unsigned char byte : target.address->to_v6().to_bytes()) request += static_cast<char>(byte);
  }
  request += static_cast<char>(static_cast<unsigned char>(target.port >> 8));
  request += static_cast<char>(static_cast<unsigned char>(target.port & 0xff));
  return request;
}

// RFC 1928, section 6.
socks_answer answer_for(unsigned char reply) {
  switch (reply) {
    case 0:
      return {};
    case 1:
      return refused(transport_failure::connect, "failed (general failure)");
    case 2:
      return refused(transport_failure::proxy, "does not allow this connection");
    case 3:
      return refused(transport_failure::connect, "cannot reach the network");
    case 4:
      return refused(transport_failure::connect, "cannot reach the host");
    case 5:
      return refused(transport_failure::connect, "was refused by the host");
    case 6:
      return refused(transport_failure::connect, "got no answer from the host");
    case 7:
      return refused(transport_failure::proxy, "does not know how to connect");
    case 8:
      return refused(transport_failure::proxy, "does not take such addresses");
    default:
      return malformed();
  }
}

asio::awaitable<socks_answer> authenticate(wire_stream& stream, std::string user, std::string password) {
  const bool named = !user.empty();
  std::string greeting{version, static_cast<char>(named ? 2 : 1), no_authentication};
  if (named) greeting += user_and_password;
  error_code error;
  co_await stream.write(asio::buffer(greeting), error);
  std::array<char, 2> chosen{};
  if (!error) error = co_await read_exactly(stream, chosen.data(), chosen.size());
  if (error) co_return broken(error);
  if (chosen[0] != version) co_return malformed();
  if (chosen[1] == no_authentication) co_return socks_answer{};
  if (chosen[1] != user_and_password || !named)
    co_return refused(transport_failure::proxy,
                      named ? "takes no user and password" : "wants a user and a password");
  std::string credentials{1};
  append_short(credentials, user);
  append_short(credentials, password);
  co_await stream.write(asio::buffer(credentials), error);
  std::array<char, 2> verdict{};
  if (!error) error = co_await read_exactly(stream, verdict.data(), verdict.size());
  if (error) co_return broken(error);
  if (verdict[1] != 0) co_return refused(transport_failure::proxy, "does not accept the user and password");
  co_return socks_answer{};
}

}  // namespace

asio::awaitable<socks_answer> request_socks_tunnel(wire_stream& stream, socks_target target, std::string user,
                                                   std::string password) {
  if (user.size() > longest || password.size() > longest || target.host.size() > longest)
    co_return refused(transport_failure::proxy, "takes no name, user or password of more than 255 bytes");
  const socks_answer known = co_await authenticate(stream, std::move(user), std::move(password));
  if (known.refusal || known.error) co_return known;

  const std::string request = connect_request(target);
  error_code error;
  co_await stream.write(asio::buffer(request), error);
  std::array<char, 4> head{};  // version, reply, reserved, kind of address
  if (!error) error = co_await read_exactly(stream, head.data(), head.size());
  if (error) co_return broken(error);
  if (head[0] != version) co_return malformed();
  socks_answer answer = answer_for(static_cast<unsigned char>(head[1]));
  if (answer.refusal) co_return answer;

  std::size_t rest = head[3] == ipv4 ? 4 : 16;  // where the proxy connects from
  if (head[3] == domain_name) {
    char length = 0;
    error = co_await read_exactly(stream, &length, 1);
    rest = static_cast<unsigned char>(length);
  } else if (head[3] != ipv4 && head[3] != ipv6) {
    co_return malformed();
  }
  std::array<char, longest + 2> ignored{};
  if (!error) error = co_await read_exactly(stream, ignored.data(), rest + 2);
  if (error) co_return broken(error);
  co_return answer;
}

}  // namespace dspu::app
