// What both halves of the limiter's state share: the lock with the word, and a walk through the line.
#pragma once

#include "dspu/aio/detail/limiter_state.hpp"

#include <algorithm>
#include <array>

namespace dspu::aio::detail {

// Holds the lock and the word: all others wait or stay out, until the word is put back as the line is then.
class limiter_state::session {
 public:
  explicit session(limiter_state& s) : s_(s), lock_(s.mutex_) { s.limiter_state::begin(); }
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() {
    s_.limiter_state::end();
    s_.keep_watch();
  }

 private:
  limiter_state& s_;
  const std::lock_guard<std::mutex> lock_;
};

// How a waiter is told that the capacity has become too small for it.
inline error_code too_large_code() {
  return boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
}

// All who wait, in the order in which they will be served if nobody else comes; `newcomer` (shown as a null
// waiter) behind those of its class. What visit(waiter*, request) says of one decides who is next.
template <class Visit>
void limiter_state::visit_in_order(const wait_request* newcomer, const Visit& visit) {
  core::weighted_turns turns = turns_;
  std::array<waiter*, lines> at{};
  unsigned waiting = 0;
  for (int line = 0; line < lines; ++line) {
    const bool joins = newcomer != nullptr && newcomer->line == line;
    if (!empty(line)) at[static_cast<std::size_t>(line)] = &front(line);
    if (empty(line) && joins) turns.join(line);
    waiting |= static_cast<unsigned>(!empty(line) || joins) << line;
  }
  while (waiting != 0) {
    const int line = turns.next(waiting);
    waiter*& cursor = at[static_cast<std::size_t>(line)];
    waiter* const w = cursor;
    const bool joins = newcomer != nullptr && newcomer->line == line;
    if (w == nullptr) {  // there is nothing to be asked of behind it
      // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): only the newcomer's line can be empty
      visit(nullptr, *newcomer);
      return;
    }
    cursor = behind(*w);
    if (cursor == nullptr && !joins) waiting &= ~(1U << line);
    const double n = w->amount();
    const auto verdict = visit(w, w->request());
    if (verdict == seen::enough) return;
    if (verdict == seen::served) turns.serve(line, n);
  }
}

}  // namespace dspu::aio::detail
