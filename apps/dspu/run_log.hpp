// What a run says on the console while it goes: wrong lines of its input, and with -v every failure, retry, refusal,
// hold, learnt pace and change of a breaker.
#pragma once

#include "dspu/console.hpp"
#include "dspu/core/breaker_machine.hpp"
#include "dspu/core/retry_machine.hpp"
#include "dspu/job.hpp"
#include "dspu/origin_pace.hpp"
#include "dspu/record.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dspu::app {

class run_log {
 public:
  run_log(console& out, bool verbose) : out_(out), verbose_(verbose) {}

  // At a signal, with so many requests out.
  void stopping(std::size_t out, core::duration grace);
  // The first ten; all with -v.
  void wrong_line(const std::string& problem);
  void failed(const result_record& record);
  void retry(const job& again, core::duration delay, core::retry_reason reason);
  void refusal(const job& again, core::duration delay);
  void pace(std::string_view origin, const pace_report& learnt);
  void hold(std::string_view origin, core::duration duration);
  void breaker(std::string_view origin, core::circuit_transition transition, core::duration open_for);

 private:
  console& out_;
  bool verbose_;
  std::uint64_t wrong_lines_ = 0;
};

}  // namespace dspu::app
