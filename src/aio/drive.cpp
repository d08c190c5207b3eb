#include "dspu/aio/detail/drive.hpp"

#include <boost/asio/error.hpp>

namespace dspu::aio::detail {

namespace {

bool is_refusal(error_code code) {
  if (code.category() != category()) return false;
  switch (static_cast<errc>(code.value())) {
    case errc::circuit_open:
    case errc::queue_full:
    case errc::would_exceed_deadline:
    case errc::bulkhead_full:
    case errc::throttled:
    case errc::too_many_keys: return true;
    case errc::timed_out:
    case errc::callback_failed:
    case errc::fault_injected: break;
  }
  return false;
}

verdict judge(const run& r, const outcome& o) {
  const auto* record = r.context.record;
  if (record == nullptr || !record->judge) return default_verdict(o);
  try {
    return record->judge(o);
  } catch (...) {  // the policies that use it hear of that
    return default_verdict(o);
  }
}

std::string_view word_for(const run& r, const outcome& o) {
  const auto code = o.code();
  if (o.exception() && code == asio::error::operation_aborted) {
    return r.interrupted != run::nobody ? "timed_out" : "cancelled";
  }
  if (code == errc::timed_out) return "timed_out";
  if (is_refusal(code)) return "refused";
  switch (judge(r, o)) {
    case verdict::success: return "success";
    case verdict::failure: return "failure";
    case verdict::ignored: break;
  }
  return "ignored";
}

}  // namespace

void tell_of_attempt(const run& r, ending e, core::instant began) {
  if (r.context.record != nullptr) r.context.record->attempts.fetch_add(1, std::memory_order_relaxed);
  r.tell(event_kind::attempt_ended, "", word_for(r, e.view()), {{"seconds", in_seconds(r.context.clock() - began)}},
         e.error());
}

void tell_of_call(const run& r, ending e, core::instant began) {
  const auto attempts = r.context.record->attempts.load(std::memory_order_relaxed);
  r.tell(event_kind::call_ended, "", word_for(r, e.view()),
         {{"seconds", in_seconds(r.context.clock() - began)}, {"attempts", static_cast<double>(attempts)}}, e.error());
}

}  // namespace dspu::aio::detail
