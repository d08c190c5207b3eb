#include "dspu/aio/detail/context_link.hpp"

#include "dspu/aio/detail/remembered_service.hpp"

#include <boost/asio/defer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <utility>
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

  // The lock is held, here and by those below, but for close().
  void remove(context_link& l) {
    (l.previous_ != nullptr ? l.previous_->next_ : first_) = l.next_;
    if (l.next_ != nullptr) l.next_->previous_ = l.previous_;
    l.next_ = l.previous_ = nullptr;
    l.linked_ = false;
  }

  // Unlinks l. True for the first, who has to send somebody to the loop to take_arrivals().
  bool arrive(returning_link& l) {
    remove(l);
    l.behind_ = nullptr;
    const bool first = first_back_ == nullptr;
    (first ? first_back_ : last_back_->behind_) = &l;
    last_back_ = &l;
    return first;
  }
  // Null if the context was closed meanwhile.
  returning_link* take_arrivals() { return std::exchange(first_back_, nullptr); }

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
  context_link* first_ = nullptr;
  returning_link* first_back_ = nullptr;  // those who come back to the loop, in order
  returning_link* last_back_ = nullptr;
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

// Allocates the handler in the link itself: of many who come back at once, Asio would recycle the memory of two.
template <class T>
struct returning_link::passage_memory {
  using value_type = T;

  returning_link* link;

  explicit passage_memory(returning_link* l) : link(l) {}
  template <class U>
  explicit(false) passage_memory(const passage_memory<U>& other) : link(other.link) {}

  T* allocate(std::size_t n) {
    if (n * sizeof(T) > sizeof link->memory_) return std::allocator<T>().allocate(n);
    return reinterpret_cast<T*>(link->memory_);
  }
  void deallocate(T* p, std::size_t n) {
    if (n * sizeof(T) > sizeof link->memory_) std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const passage_memory&, const passage_memory&) = default;
};

// Of one, once unlinked. If it is destroyed, so is the context.
struct returning_link::passage {
  using allocator_type = passage_memory<void>;
  allocator_type get_allocator() const { return allocator_type(static_cast<returning_link*>(link.get())); }

  std::shared_ptr<context_link> link;

  explicit passage(returning_link& l) : link(l.shared_from_this()) {}
  passage(passage&&) = default;
  passage& operator=(passage&&) = delete;
  ~passage() {
    if (link) static_cast<returning_link&>(*link).context_gone();
  }
  void operator()() { static_cast<returning_link&>(*std::exchange(link, nullptr)).back(); }
};

// Of all who have come back when it gets its turn. Each has a handler of its own all the same: other threads of the loop
// may help, and what one throws is not the others' loss.
struct returning_link::common_passage {
  std::shared_ptr<context_links> links;
  asio::io_context::executor_type loop;

  void operator()() {
    std::unique_lock lock(links->mutex);
    auto* const l = links->take_arrivals();
    lock.unlock();
    if (l == nullptr) return;
    passage first(*l);
    for (auto* next = l->behind_; next != nullptr;) {
      passage p(*std::exchange(next, next->behind_));
      asio::defer(loop, std::move(p));
    }
    first();
  }
};

void returning_link::come_back_on(const asio::any_io_executor& ex) {
  if (const auto* const loop = ex.target<asio::io_context::executor_type>()) {
    if (links_->arrive(*this)) asio::post(*loop, common_passage{links_, *loop});
  } else {
    unlink();
    asio::post(ex, passage(*this));
  }
}

}  // namespace dspu::aio::detail
