// A way back to an execution context from threads that are not its own, and that it does not wait for.
//
// A pool's thread that finishes a function, or a thread blocked until a coroutine ends, must reach a context that its
// owner may destroy at any time. Such an object links itself to the context while it holds anything of it (executors,
// handlers). Whoever unlinks it owns what it holds: one of the threads, inside while_linked(), during which the context
// cannot go away; the context itself, which the link has come back to (returning_link); or the context's shutdown,
// through context_gone().
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/posted.hpp"

#include <boost/asio/execution_context.hpp>

#include <memory>
#include <mutex>

namespace dspu::aio::detail {

class context_links;
class returning_link;

class context_link : public std::enable_shared_from_this<context_link> {
 public:
  context_link(const context_link&) = delete;
  context_link& operator=(const context_link&) = delete;

 protected:
  context_link() = default;
  virtual ~context_link();

  // Once, while the context certainly exists. False if it is shutting down already: then context_gone() was called.
  bool link(asio::execution_context& context);

  // Runs `use`, which must be short and throw nothing, unless unlinked. Returns whether it did.
  template <class F>
  bool while_linked(F&& use) {
    if (!links_) return false;
    const std::lock_guard lock(*mutex_);
    if (!linked_) return false;
    use();
    return true;
  }

  // Only inside while_linked().
  void unlink();

  // The context is being destroyed: let go of all that belongs to it. Called at most once, instead of unlink().
  virtual void context_gone() = 0;

 private:
  friend class context_links;
  friend class returning_link;

  std::shared_ptr<context_links> links_;
  std::mutex* mutex_ = nullptr;  // of links_; guards the rest
  context_link* next_ = nullptr;
  context_link* previous_ = nullptr;
  bool linked_ = false;
};

// A link that comes back to its context. Those who come back to an io_context in one turn of it share the way: waking a
// loop costs far more than all else here. Coming back allocates nothing, unless the executor is of a kind that posts by
// allocating (detail/posted.hpp).
class returning_link : public context_link, private posted {
 protected:
  // Only inside while_linked(): unlinks. `ex` is of the context, and runs back(), unless context_gone() comes first.
  void come_back_on(const asio::any_io_executor& ex) noexcept;

  virtual void back() = 0;

 private:
  friend class context_links;

  void on_arrival() override;
  void on_shutdown() override;

  returning_link* behind_ = nullptr;      // who comes back next to the same loop
  std::shared_ptr<context_link> kept_;    // itself, on its way
};

}  // namespace dspu::aio::detail
