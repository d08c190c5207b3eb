#include "dspu/aio/detail/wait_group.hpp"

#include "waiter_registry.hpp"

#include <algorithm>
#include <utility>

namespace dspu::aio::detail {

void wait_group::open(const waiter& w) {
  registry_ = w.registry_;
  context_ = registry_->context();
  base_ = base_of(w.executor_);
  absent_ = came_ = false;
  to_come_ = 0;
}

void wait_group::close() {
  unwatch();
  registry_ = nullptr;
  context_ = nullptr;
  base_ = {};
}

void wait_group::watch(const timekeeper& time, core::instant at) {
  if (watched_ != nullptr && look_at_ <= at) return;
  unwatch();
  ++watch_;
  try {
    auto& all = time.deadlines_of(base_);
    all.add(*this, time.units_of(at));
    watched_ = &all;
    look_at_ = at;
  } catch (...) {  // there is no memory; whatever changes next tries again
  }
}

void wait_group::unwatch() {
  if (watched_ != nullptr) std::exchange(watched_, nullptr)->remove(*this);
}

bool wait_group::has_ended(std::uint64_t watch) {
  if (watched_ == nullptr || watch != watch_) return false;
  watched_ = nullptr;
  return true;
}

// The queue's lock is not held; whoever holds it and unwatches waits for the deadlines' lock.
void wait_group::expire(std::unique_lock<std::mutex>& lock) {
  const auto queue = queue_->weak_from_this().lock();
  const auto watch = watch_;
  lock.unlock();
  if (queue) queue->look(*this, watch);
}

void wait_queue::join_group(waiter& w) {
  const auto is_of = [&](const wait_group& g) { return g.registry_ == w.registry_; };
  if (latest_ == nullptr || !is_of(*latest_)) {
    auto found = std::ranges::find_if(groups_, is_of);
    if (found == groups_.end()) found = std::ranges::find_if(groups_, [](const wait_group& g) { return g.members_ == 0; });
    latest_ = found == groups_.end() ? &groups_.emplace_back(*this) : &*found;
  }
  wait_group& g = *latest_;
  if (g.members_ == 0) {
    g.open(w);
    ++contexts_;
  }
  ++g.members_;
  w.group_ = &g;
}

void wait_queue::leave_group(waiter& w) {
  wait_group& g = *std::exchange(w.group_, nullptr);
  if (--g.members_ > 0) return;
  g.close();
  if (--contexts_ > 1) return;
  for (wait_group& other : groups_) other.unwatch();
  look_at_ = core::instant::max();
}

const wait_group& wait_queue::waker_for(const waiter& first) const {
  if (first.group_->prompt()) return *first.group_;
  const auto found = std::ranges::find_if(groups_, [](const wait_group& g) { return g.somebody_waits() && g.prompt(); });
  return found == groups_.end() ? *first.group_ : *found;
}

void wait_queue::arrange_looks() {
  const auto called = [](const wait_group& g) { return g.called_.linked(); };
  if (std::ranges::none_of(groups_, called)) {
    look_at_ = core::instant::max();
  } else if (look_at_ == core::instant::max()) {
    look_at_ = core::add_saturating(time_->now(), patience());
    for (wait_group& g : groups_) {
      g.came_ = false;
      for (auto* l = g.called_.next; l != &g.called_; l = l->next) waiter::in_registry(l).late_ = true;
    }
  }
  const auto at = std::min(look_at_, look_by());
  for (wait_group& g : groups_) {
    if (!g.somebody_waits() || g.absent_) continue;
    if (at == core::instant::max()) {
      g.unwatch();
    } else {
      g.watch(*time_, at);
    }
  }
}

// Takes those who wait there out of the line, so that whoever is at its front can be served.
void wait_queue::pass_over(wait_group& g) {
  g.absent_ = true;
  g.unwatch();
  for (waiter_links& line : line_) {
    for (auto* l = line.next; l != &line;) {
      waiter& w = waiter::in_queue(l);
      l = l->next;
      if (w.group_ != &g) continue;
      w.queue_links::unlink();
      w.queue_links::link_before(g.passed_over_);
      --size_;
      ++outside_;
      went(w);
    }
  }
  left();
}

std::size_t wait_queue::recall(wait_group& g) {
  g.absent_ = false;
  std::array<waiter_links*, lines> from{};
  for (int i = 0; i < lines; ++i) from[static_cast<std::size_t>(i)] = links_of(i).next;
  std::size_t back = 0;
  for (; g.passed_over_.linked(); ++back) {
    waiter& w = waiter::in_queue(g.passed_over_.next);
    w.queue_links::unlink();
    --outside_;
    auto& place = from[static_cast<std::size_t>(w.request_.line)];
    place = link_by_number(w, place);
  }
  return back;
}

std::size_t wait_queue::recall_all() {
  std::size_t back = 0;
  for (wait_group& g : groups_) {
    if (g.absent_) back += recall(g);
  }
  return back;
}

// Puts w where it was in its line, at `from` or behind. Returns: who is behind it now.
waiter_links* wait_queue::link_by_number(waiter& w, waiter_links* from) {
  comes(w);
  ++size_;
  return insert_by_number(w, from, links_of(w.request_.line));
}

waiter_links* wait_queue::insert_by_number(waiter& w, waiter_links* from, const waiter_links& end) {
  while (from != &end && waiter::in_queue(from).number_ < w.number_) from = from->next;
  w.queue_links::link_before(*from);
  return from;
}

// Who comes for something that was taken back.
void wait_queue::put_back(waiter& w) {
  wait_group& g = *w.group_;
  w.queued_ = true;
  ++g.waiting_;
  w.registry_->add(w);
  if (g.absent_) {
    insert_by_number(w, g.passed_over_.next, g.passed_over_);
    ++outside_;
  } else {
    link_by_number(w, links_of(w.request_.line).next);
  }
}

}  // namespace dspu::aio::detail
