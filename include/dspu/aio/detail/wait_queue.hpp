// The line in which suspended operations wait: FIFO, intrusive, unlinked in O(1), the same for every policy. It has a
// few classes, each a line of its own; who uses one only uses the default.
//
// Whoever is granted what it waits for is *called*: a function is posted to its executor, and only when that runs does the
// waiter collect its grant. A queue that knows the time (a timekeeper) takes back what is not collected for `patience`, if
// waiters of other execution contexts are there: the context is *absent* then, those of its waiters that are in line are
// passed over, and what was granted goes to the next. When one of its functions runs after all, they come back to their
// places in the line, in front of all who came later.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/wait_group.hpp"
#include "dspu/aio/detail/waiter.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <mutex>

namespace dspu::aio::detail {

class wait_queue : public std::enable_shared_from_this<wait_queue> {
 public:
  // Without a timekeeper nothing that was granted is ever taken back.
  explicit wait_queue(const timekeeper* time = nullptr) : time_(time) {}
  wait_queue(const wait_queue&) = delete;
  wait_queue& operator=(const wait_queue&) = delete;

  // Ends the wait of everyone with operation_aborted, for good.
  void abort_all();

  // What is told of the end of a wait in vain to those who take exceptions.
  virtual std::exception_ptr told(error_code ec, const wait_request& request) const;

  // How long a context has to collect what it was granted, before that goes to waiters of other contexts: once or twice
  // as long as that, for nobody reads the clock when it is granted.
  static constexpr duration shortest_patience = std::chrono::milliseconds{5};

 protected:
  virtual ~wait_queue() = default;

  mutable std::mutex mutex_;
  const timekeeper* const time_;

  static constexpr int lines = 3;

  // All of these need the lock.
  bool empty() const { return size_ == 0; }
  bool empty(int line) const { return !links_of(line).linked(); }
  // Those in line.
  std::size_t size() const { return size_; }
  // Those who wait too, but are not in line: they were passed over, or what they were granted was taken back.
  std::size_t outside() const { return outside_; }
  waiter& front(int line) { return waiter::in_queue(links_of(line).next); }
  // Who waits behind w in its line, or null.
  waiter* behind(waiter& w) {
    waiter_links* const next = w.queue_links::next;
    return next == &links_of(w.request().line) ? nullptr : &waiter::in_queue(next);
  }
  void push_back(waiter& w);
  // It has what it waits for. Complete the list without the lock; `here` is the loop that will do so, if one will.
  void grant_into(waiter_list& list, waiter& w, const asio::execution_context* here = nullptr);
  // The same for one who never was in the line.
  void grant_newcomer_into(waiter_list& list, waiter& w);
  // A passive one goes nowhere, and is nobody's any more but its maker's.
  void remove_into(waiter_list& list, waiter& w);
  // For those who use one line only.
  void grant_front_into(waiter_list& list) { grant_into(list, front(0)); }
  void remove(waiter& w);
  static bool queued(const waiter& w) { return w.queued_; }
  // The group whose context is to wake `first`: its own, if that has come for whatever it was called for.
  const wait_group& waker_for(const waiter& first) const;
  // Has all contexts look in time, if there are several. At the end of whatever changes who waits, or look_by().
  void keep_watch() {
    if (contexts_ > 1 && time_ != nullptr) arrange_looks();
  }
  // All who were passed over are in the line again. Returns: how many.
  std::size_t recall_all();

  // Somebody comes into the line, or has gone out of it, for whatever reason.
  virtual void comes(const waiter&) {}
  virtual void went(const waiter&) {}
  // One or more left the line without being served.
  virtual void left() = 0;
  // So many are in line again who were granted something or passed over before.
  virtual void came_back(std::size_t, waiter_list&) {}
  // What w was granted is nobody's again. Whoever gets it instead goes into the list.
  virtual void take_back(const waiter&, waiter_list&) {}
  // When the others have to look what is the matter, though nobody was called.
  virtual core::instant look_by() const { return core::instant::max(); }
  virtual duration patience() const { return shortest_patience; }
  // What is to be done first and last with the lock, by the functions here.
  virtual void begin() {}
  virtual void end() {}

  // Some who were let go have resumed, which may have taken time; or a context has looked (in a handler of `here`, if that
  // is not null). The lock is not held.
  virtual void resumed(const asio::execution_context*) {}
  // Somebody was granted this and is destroyed without having heard of it. The lock is not held.
  virtual void give_back(double amount) = 0;

 private:
  friend class wait_group;
  friend struct waiter_owner;
  friend struct waiter_cancellation;
  friend class waiter_list;
  friend class waiter_registry;

  class section;

  waiter_links& links_of(int line) { return line_[static_cast<std::size_t>(line)]; }
  const waiter_links& links_of(int line) const { return line_[static_cast<std::size_t>(line)]; }
  void cancel(waiter& w);
  // Destroys those who wait on behalf of a context that is shutting down.
  void abandon(const waiter_registry& context);

  // All but look(), collect() and lost() need the lock.
  void join_group(waiter& w);
  void leave_group(waiter& w);
  void take_out(waiter& w);
  void put_back(waiter& w);
  waiter_links* link_by_number(waiter& w, waiter_links* from);
  static waiter_links* insert_by_number(waiter& w, waiter_links* from, const waiter_links& end);
  bool has_come(waiter& w);
  void back_in_line(wait_group& g, std::size_t n, waiter_list& going);
  void call(waiter& w);

  // Those of one executor have come for what they were granted: keeps in the list those who still hold it.
  void collect(waiter_list& all);
  // A waiter that was called is destroyed. Returns: whether it holds its grant.
  bool lost(waiter& w);
  // The watch of that context.
  void look(wait_group& g, std::uint64_t watch);
  void arrange_looks();
  void find_absent(waiter_list& going);
  void pass_over(wait_group& g);
  std::size_t recall(wait_group& g);

  std::array<waiter_links, lines> line_;
  std::size_t size_ = 0;
  std::size_t outside_ = 0;
  std::uint64_t arrivals_ = 0;
  std::list<wait_group> groups_;
  wait_group* latest_ = nullptr;  // that somebody joined
  std::size_t contexts_ = 0;      // groups that have members
  core::instant look_at_ = core::instant::max();  // those who were called must have come by then
  bool over_ = false;
};

}  // namespace dspu::aio::detail
