#include "dspu/aio/detail/context_link.hpp"

#include <vector>

namespace dspu::aio::detail {

// Who is linked to one context. Shared with them, since they may outlive it.
class context_links {
 public:
  std::mutex mutex;

  bool add(context_link& l) {
    const std::lock_guard lock(mutex);
    if (closed_) return false;
    l.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &l;
    first_ = &l;
    l.linked_ = true;
    return true;
  }

  // The lock is held.
  void remove(context_link& l) {
    (l.previous_ != nullptr ? l.previous_->next_ : first_) = l.next_;
    if (l.next_ != nullptr) l.next_->previous_ = l.previous_;
    l.next_ = l.previous_ = nullptr;
    l.linked_ = false;
  }

  void close() {
    std::vector<std::shared_ptr<context_link>> left_over;
    {
      const std::lock_guard lock(mutex);
      closed_ = true;
      while (first_ != nullptr) {
        left_over.push_back(first_->shared_from_this());
        remove(*first_);
      }
    }
    for (const auto& l : left_over) l->context_gone();
  }

 private:
  context_link* first_ = nullptr;
  bool closed_ = false;
};

namespace {

class link_service final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;

  explicit link_service(asio::execution_context& context) : service(context) {}

  const std::shared_ptr<context_links> links = std::make_shared<context_links>();

 private:
  void shutdown() override { links->close(); }
};

}  // namespace

// Requires: unlinked, or never linked; an object that holds handlers or executors is kept alive until it lets go.
context_link::~context_link() = default;

void context_link::link(asio::execution_context& context) {
  links_ = asio::use_service<link_service>(context).links;
  mutex_ = &links_->mutex;
  if (!links_->add(*this)) context_gone();
}

void context_link::unlink() { links_->remove(*this); }

}  // namespace dspu::aio::detail
