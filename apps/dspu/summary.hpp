// What a run came to, as text for people and as JSON for programs.
#pragma once

#include "dspu/core/breaker_machine.hpp"
#include "dspu/histogram.hpp"
#include "dspu/origin_pace.hpp"
#include "dspu/record.hpp"
#include "dspu/wait_ledger.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace dspu::app {

// What the summary is told at the end.
struct run_facts {
  std::chrono::nanoseconds elapsed{};
  std::vector<named_pace> paces{};
  wait_totals waits{};        // over all origins, how long each was kept from sending
  std::uint64_t resumed = 0;  // requests that an earlier run had finished
  std::uint64_t unsent = 0;   // read, and never sent because the run was stopped
  int exit_status = 0;
};

class summary {
 public:
  void add(const result_record& record);
  void add_transition(core::circuit_transition transition);
  void add_hold() { ++holds_; }

  std::uint64_t of(outcome value) const { return outcomes_[static_cast<std::size_t>(value)]; }
  std::uint64_t finished() const;  // cancelled requests are not
  std::uint64_t failed() const { return finished() - of(outcome::ok); }

  std::string to_text(const run_facts& facts) const;
  // One object and a line feed.
  std::string to_json(const run_facts& facts) const;

 private:
  std::string outcome_text() const;

  std::array<std::uint64_t, outcome_count> outcomes_{};
  std::map<unsigned, std::uint64_t> statuses_;  // of attempts
  std::uint64_t attempts_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t retries_refused_ = 0;
  std::uint64_t hedges_ = 0;
  std::uint64_t hedges_won_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t breaker_opened_ = 0;
  std::uint64_t breaker_closed_ = 0;
  std::uint64_t holds_ = 0;
  histogram requests_;  // from the first attempt to the result
  histogram exchanges_;
};

}  // namespace dspu::app
