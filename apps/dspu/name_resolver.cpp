#include "dspu/name_resolver.hpp"

#include "dspu/net_errors.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

namespace dspu::app {

namespace asio = boost::asio;
namespace ip = boost::asio::ip;

namespace {

constexpr std::chrono::seconds answer_lifetime{60};
constexpr std::size_t max_cached = 4096;
constexpr unsigned max_threads = 8;

ip::address address_of(const sockaddr& from) {
  if (from.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from, sizeof v4);
    return ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &from, sizeof v6);
  ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return ip::address_v6(bytes, v6.sin6_scope_id);
}

// The system orders by preference; taking the families in turn keeps a dead one from using up all the time.
std::vector<ip::address> alternate_families(const std::vector<ip::address>& addresses) {
  std::deque<ip::address> first;
  std::deque<ip::address> second;
  for (const auto& a : addresses) (a.is_v6() == addresses.front().is_v6() ? first : second).push_back(a);
  std::vector<ip::address> result;
  while (!first.empty() || !second.empty()) {
    for (auto* queue : {&first, &second}) {
      if (queue->empty()) continue;
      result.push_back(queue->front());
      queue->pop_front();
    }
  }
  return result;
}

}  // namespace

lookup_result look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  // Not strerror(): other threads ask too. The system fails for want of descriptors or memory.
  if (status == EAI_SYSTEM) return {{}, boost::system::system_category().message(errno), true};
  if (status != 0) return {{}, ::gai_strerror(status), status == EAI_AGAIN || status == EAI_MEMORY};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  lookup_result result;
  for (const addrinfo* i = list; i != nullptr; i = i->ai_next)
    if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
      result.addresses.push_back(address_of(*i->ai_addr));
  if (result.addresses.empty())
    result.error = "the name has no address";
  else
    result.addresses = alternate_families(result.addresses);
  return result;
}

// One lookup that is running or has been answered.
struct name_resolver::pending {
  lookup_result result;
  bool done = false;
  clock::time_point stale_at;
  std::list<asio::steady_timer*> waiters;  // in the frames of those who wait
};

// Stands in a lookup's list for as long as its frame lives, however that ends.
struct name_resolver::waiter {
  waiter(std::shared_ptr<pending> p, const asio::any_io_executor& executor, clock::time_point deadline)
      : timer(executor, deadline),
        lookup(std::move(p)),
        place(lookup->waiters.insert(lookup->waiters.end(), &timer)) {}
  ~waiter() { lookup->waiters.erase(place); }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  asio::steady_timer timer;
  std::shared_ptr<pending> lookup;
  std::list<asio::steady_timer*>::iterator place;
};

struct name_resolver::cache {
  std::unordered_map<std::string, std::shared_ptr<pending>> entries;
};

// Signals are for the loop's thread: where they interrupt its system calls, and not those of a lookup. A thread that
// is started while this lives receives none.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_{};
};

// The threads. They hold this object and nothing else, so that one which hangs in getaddrinfo() can be left
// behind.
class name_resolver::workers : public std::enable_shared_from_this<workers> {
 public:
  workers(asio::any_io_executor executor, lookup function)
      : executor_(std::move(executor)), function_(std::move(function)) {}

  void submit(std::string host, std::function<void(lookup_result)> on_loop) {
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(host), std::move(on_loop));
    if (threads_ == max_threads) return;
    const signals_blocked guard;
    try {
      std::thread([self = shared_from_this()] { self->run(); }).detach();
      ++threads_;
    } catch (const std::system_error&) {
      if (threads_ > 0) return;  // one that runs will come to it
      queue_.pop_back();
      throw;
    }
  }

  // No result is delivered after this; the executor is not touched any more.
  void abandon() {
    const std::lock_guard lock(mutex_);
    executor_ = nullptr;
    queue_.clear();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!queue_.empty()) {
      auto [host, on_loop] = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      lookup_result result = function_(host);
      lock.lock();
      if (!executor_) break;
      asio::post(executor_,
                 [deliver = std::move(on_loop), r = std::move(result)]() mutable { deliver(std::move(r)); });
    }
    --threads_;
  }

  std::mutex mutex_;
  asio::any_io_executor executor_;
  lookup function_;
  std::deque<std::pair<std::string, std::function<void(lookup_result)>>> queue_;
  unsigned threads_ = 0;
};

name_resolver::name_resolver(asio::any_io_executor executor, lookup function)
    : executor_(executor),
      cache_(std::make_shared<cache>()),
      workers_(std::make_shared<workers>(std::move(executor), std::move(function))) {}

name_resolver::~name_resolver() { workers_->abandon(); }

std::shared_ptr<name_resolver::pending> name_resolver::find_or_start(const std::string& host) {
  auto& entries = cache_->entries;
  const auto now = clock::now();
  const auto found = entries.find(host);
  if (found != entries.end() && (!found->second->done || now < found->second->stale_at)) return found->second;
  if (entries.size() >= max_cached)
    std::erase_if(entries,
                  [&](const auto& entry) { return entry.second->done && entry.second->stale_at <= now; });
  if (entries.size() >= max_cached)
    std::erase_if(entries, [](const auto& entry) { return entry.second->done; });

  auto entry = std::make_shared<pending>();
  workers_->submit(host, [cache = cache_, host, entry](lookup_result result) {
    entry->result = std::move(result);
    entry->done = true;
    entry->stale_at = clock::now() + answer_lifetime;
    for (auto* timer : entry->waiters) timer->cancel();
    if (entry->result.addresses.empty()) cache->entries.erase(host);
  });
  entries.insert_or_assign(host, entry);
  return entry;
}

asio::awaitable<name_resolver::answer> name_resolver::resolve(std::string host, clock::time_point deadline) {
  answer reply;
  boost::system::error_code not_an_address;
  const auto address = ip::make_address(host, not_an_address);
  if (!not_an_address) {
    reply.result.addresses.push_back(address);
    co_return reply;
  }

  const asio::cancellation_state cancel = co_await asio::this_coro::cancellation_state;
  throw_if_cancelled(cancel);
  const auto entry = find_or_start(host);
  if (!entry->done) {
    waiter here(entry, executor_, deadline);
    boost::system::error_code ec;
    co_await here.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    throw_if_cancelled(cancel);
  }
  if (entry->done)
    reply.result = entry->result;
  else
    reply.timed_out = true;
  co_return reply;
}

}  // namespace dspu::app
