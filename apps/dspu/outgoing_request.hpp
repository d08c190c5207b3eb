// A request as it goes on the wire, and what its sender must remember about it.
#pragma once

#include "dspu/proxy.hpp"
#include "dspu/request_url.hpp"
#include "dspu/transport.hpp"

#include <string>
#include <string_view>

namespace dspu::app {

// Where a request's connection goes.
struct route {
  origin server;
  const proxy_server* proxy = nullptr;

  bool encrypted() const { return server.scheme == "https"; }
  // Through a tunnel that the proxy does not look into.
  bool tunnelled() const { return proxy != nullptr && (encrypted() || proxy->is_socks()); }
  // Connections of equal keys are as good as each other: plain requests share those to their proxy.
  std::string key() const;
};

struct outgoing_request {
  route way;
  std::string head;             // request line and header, with the empty line; a small body follows at once
  std::string_view body;        // the rest of the body; views the http_request
  bool answer_has_body = true;  // not to HEAD
  bool inflate = false;         // we asked for gzip, not the user
  bool close_after = false;     // it says Connection: close
  bool idempotent = false;      // by its method, or by an Idempotency-Key: it may be sent twice
};

// What the client says of itself in every request.
struct client_headers {
  std::string_view user_agent;
  bool keep_alive = true;
};

// `request` must outlive the result. Credentials in its URL are not used: who reads URLs makes a header of
// them (basic_auth.hpp). Throws: transport_error: unsendable, naming what is wrong with the method, the URL or
// a header; proxy, if a variable names one that cannot be used.
outgoing_request compose(const http_request& request, const proxy_rules& proxies,
                         const client_headers& client);

}  // namespace dspu::app
