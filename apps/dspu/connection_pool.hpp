// Idle connections, waiting to be used again.
#pragma once

#include "dspu/connection.hpp"

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dspu::app {

// The youngest of a key is taken first, so that the surplus of a burst grows old and goes; the oldest of all
// makes room when there are too many. Thread-safety: none. Holds no work: an event loop may end while
// connections idle. What holds them is kept for the next, so that none is made where as many come as go.
//
// A server may close an idle connection in the moment in which a request is sent on it, and then nobody knows
// whether it was carried out. So a request that cannot be repeated gets one only from a server that is known
// to keep connections: it says so (Connection: keep-alive), or one has carried a second exchange, or has been
// idle and open for half a second; and no longer once one was closed within a second. Nor is it given one
// that has been idle for a second or more.
class connection_pool {
 public:
  using clock = std::chrono::steady_clock;

  struct limits {
    std::size_t per_key;
    std::size_t total;
    std::chrono::nanoseconds lifetime;  // how long a connection may idle
  };
  explicit connection_pool(const limits& l) : limits_(l) {}

  struct taken {
    std::unique_ptr<connection> stream;  // null: there is none
    std::chrono::nanoseconds idled{};
  };
  // A connection that is still good as far as one can see. `repeatable`: a request that finds it closed can
  // be sent again; then one that was in use just now is not looked at, which is a system call.
  taken take(const std::string& key, bool repeatable, clock::time_point now);
  // `kept`: the server has shown, or said, that it keeps connections.
  void give_back(const std::string& key, std::unique_ptr<connection> c, bool kept, clock::time_point now);
  // One that was taken turned out to be closed.
  void was_closed(const std::string& key, std::chrono::nanoseconds idled);

  // Closes the one that has idled longest. Requires: size() > 0.
  void drop_oldest() { drop_oldest_of(by_age_.front().key); }
  void clear();
  std::size_t size() const { return by_age_.size(); }

 private:
  struct idle {
    std::string key;
    std::unique_ptr<connection> stream;
    clock::time_point since;
  };
  using position = std::list<idle>::iterator;
  struct server {
    std::vector<position> idle;  // oldest first; may be empty
    bool keeps = false;          // connections, as it has said or shown
    bool closes_early = false;   // it has closed one soon after an answer, without a word

    bool is_trusted_with(std::chrono::nanoseconds idled) const;
  };

  // Closes its connection, unless somebody took it.
  void put_aside(position which);
  void drop_oldest_of(const std::string& key);
  void drop_expired(clock::time_point now);
  void forget_unused_keys();

  limits limits_;
  std::list<idle> by_age_;  // oldest first
  std::list<idle> unused_;  // without a connection
  std::unordered_map<std::string, server> by_key_;
  std::size_t keys_to_sweep_at_ = 1024;
};

}  // namespace dspu::app
