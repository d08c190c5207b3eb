#include "dspu/aio/detail/context_link.hpp"

#include "dspu/aio/detail/remembered_service.hpp"

#include <boost/asio/io_context.hpp>

#include <utility>
#include <vector>

namespace dspu::aio::detail {

// Who is linked to one context. Shared with them, since they may outlive it. It is posted to the context's loop on behalf of
// all who have come back when it gets its turn.
class context_links final : public std::enable_shared_from_this<context_links>, private posted {
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

  // The lock is held, here and by those below, but for close().
  void remove(context_link& l) {
    (l.previous_ != nullptr ? l.previous_->next_ : first_) = l.next_;
    if (l.next_ != nullptr) l.next_->previous_ = l.previous_;
    l.next_ = l.previous_ = nullptr;
    l.linked_ = false;
  }

  // Unlinks l, which comes back on the context's loop.
  void arrive(returning_link& l, loop_queue& loop) {
    remove(l);
    l.behind_ = nullptr;
    const bool first = first_back_ == nullptr;
    (first ? first_back_ : last_back_->behind_) = &l;
    last_back_ = &l;
    if (!first) return;
    loop_ = &loop;
    kept_ = shared_from_this();
    post_to(loop);
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
      for (auto* l = take_arrivals(); l != nullptr; l = l->behind_) left_over.push_back(l->shared_from_this());
    }
    for (const auto& l : left_over) l->context_gone();
  }

 private:
  // Null if the context was closed meanwhile.
  returning_link* take_arrivals() { return std::exchange(first_back_, nullptr); }
  void on_arrival() override;
  void on_shutdown() override { const auto self = std::move(kept_); }

  context_link* first_ = nullptr;
  returning_link* first_back_ = nullptr;  // those who come back to the loop, in order
  returning_link* last_back_ = nullptr;
  loop_queue* loop_ = nullptr;
  std::shared_ptr<context_links> kept_;  // itself, on its way
  bool closed_ = false;
};

namespace {

class link_service final : public remembered_service {
 public:
  static inline asio::execution_context::id id;

  explicit link_service(asio::execution_context& context) : remembered_service(context) {}

  const std::shared_ptr<context_links> links = std::make_shared<context_links>();

 private:
  void shutdown() override { links->close(); }
};

}  // namespace

// Requires: unlinked, or never linked; an object that holds handlers or executors is kept alive until it lets go.
context_link::~context_link() = default;

bool context_link::link(asio::execution_context& context) {
  links_ = service_of<link_service>(context).links;
  mutex_ = &links_->mutex;
  if (links_->add(*this)) return true;
  context_gone();
  return false;
}

void context_link::unlink() { links_->remove(*this); }

void returning_link::on_arrival() {
  const auto self = std::move(kept_);
  back();
}

void returning_link::on_shutdown() {
  const auto self = std::move(kept_);
  context_gone();
}

// Each who has come back has a turn of its own all the same: other threads of the loop may help, and what one throws is not
// the others' loss.
void context_links::on_arrival() {
  const auto self = std::move(kept_);
  returning_link* first = nullptr;
  {
    const std::lock_guard lock(mutex);
    first = take_arrivals();
  }
  if (first == nullptr) return;
  auto& loop = *loop_;
  for (auto* l = first->behind_; l != nullptr;) {
    auto* const next = l->behind_;
    l->kept_ = l->shared_from_this();
    l->post_to(loop, true);
    l = next;
  }
  first->kept_ = first->shared_from_this();
  first->on_arrival();
}

void returning_link::come_back_on(const asio::any_io_executor& ex) noexcept {
  if (ex.target<asio::io_context::executor_type>() != nullptr) {
    links_->arrive(*this, *queue_of(ex));
  } else {
    unlink();
    kept_ = shared_from_this();
    post_surely_to(ex);
  }
}

}  // namespace dspu::aio::detail
