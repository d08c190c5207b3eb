#include "dspu/aio/detail/drive.hpp"

namespace dspu::aio::detail {

namespace {

void tell_of_end(const run& r, event_kind kind, ending e, core::instant began) {
  const bool cut = !e.has_value() && is_aborted(e.error());
  r.tell(kind, "", cut ? "cancelled" : e.view().failed() ? "failure" : "success",
         {{"seconds", in_seconds(r.context.clock() - began)}}, e.error());
}

}  // namespace

void tell_of_attempt(const run& r, ending e, core::instant began) {
  tell_of_end(r, event_kind::attempt_ended, e, began);
}

void tell_of_call(const run& r, ending e, core::instant began) { tell_of_end(r, event_kind::call_ended, e, began); }

}  // namespace dspu::aio::detail
