// An observer that keeps what it was told, a line an event:
//   refused circuit_breaker open [open] failure_count=3 retry_after=60
// that is kind, policy, reason, state, and the facts.
#pragma once

#include "dspu/aio/observer.hpp"

#include <cstdio>
#include <string>
#include <vector>

namespace dspu::test {

class event_log final : public aio::observer {
 public:
  void on_event(const aio::event& e) noexcept override {
    std::string line(aio::name_of(e.kind));
    for (const auto word : {e.policy, e.reason}) {
      if (!word.empty()) line += ' ' + std::string(word);
    }
    if (!e.state.empty()) line += " [" + std::string(e.state) + "]";
    for (const auto& f : e.facts) {
      char value[40];
      std::snprintf(value, sizeof value, "=%g", f.value);
      line += ' ' + std::string(f.name) + value;
    }
    lines_.push_back(std::move(line));
    calls_.push_back(e.call);
    attempts_.push_back(e.attempt);
    had_error_.push_back(e.error != nullptr);
  }

  const std::vector<std::string>& lines() const { return lines_; }
  const std::vector<std::uint64_t>& calls() const { return calls_; }
  const std::vector<std::int64_t>& attempts() const { return attempts_; }
  const std::vector<bool>& had_error() const { return had_error_; }
  // Those of one kind.
  std::vector<std::string> of(aio::event_kind kind) const {
    std::vector<std::string> some;
    const std::string name(aio::name_of(kind));
    for (const auto& line : lines_) {
      if (line.substr(0, line.find(' ')) == name) some.push_back(line);
    }
    return some;
  }
  void clear() { *this = {}; }

 private:
  std::vector<std::string> lines_;
  std::vector<std::uint64_t> calls_;
  std::vector<std::int64_t> attempts_;
  std::vector<bool> had_error_;
};

}  // namespace dspu::test
