// A way back to an execution context from threads that are not its own, and that it does not wait for.
//
// A pool's thread that finishes a function, or a thread blocked until a coroutine ends, must reach a context that its
// owner may destroy at any time. Such an object links itself to the context while it holds anything of it (executors,
// handlers). Whoever unlinks it owns what it holds: one of the threads, inside while_linked(), during which the context
// cannot go away; or the context's shutdown, through context_gone().
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/execution_context.hpp>

#include <memory>
#include <mutex>

namespace dspu::aio::detail {

class context_links;

class context_link : public std::enable_shared_from_this<context_link> {
 public:
  context_link(const context_link&) = delete;
  context_link& operator=(const context_link&) = delete;

 protected:
  context_link() = default;
  virtual ~context_link();

  // Once, while the context certainly exists. If it is shutting down already, context_gone() follows inside.
  void link(asio::execution_context& context);

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

  std::shared_ptr<context_links> links_;
  std::mutex* mutex_ = nullptr;  // of links_
  context_link* next_ = nullptr;
  context_link* previous_ = nullptr;
  bool linked_ = false;
};

}  // namespace dspu::aio::detail
