#include "dspu/aio/observer.hpp"

namespace dspu::aio {

std::string_view name_of(event_kind k) {
  switch (k) {
    case event_kind::call_ended: return "call_ended";
    case event_kind::attempt_ended: return "attempt_ended";
    case event_kind::retry_scheduled: return "retry_scheduled";
    case event_kind::retry_gave_up: return "retry_gave_up";
    case event_kind::refused: return "refused";
    case event_kind::waited: return "waited";
    case event_kind::timed_out: return "timed_out";
    case event_kind::state_changed: return "state_changed";
    case event_kind::limit_changed: return "limit_changed";
    case event_kind::hedged: return "hedged";
    case event_kind::hedge_won: return "hedge_won";
    case event_kind::fell_back: return "fell_back";
    case event_kind::injected: return "injected";
    case event_kind::shadowed: return "shadowed";
  }
  return "unknown";
}

double fact_or(const event& e, std::string_view name, double otherwise) {
  for (const fact& f : e.facts) {
    if (f.name == name) return f.value;
  }
  return otherwise;
}

void observers::on_event(const event& e) noexcept {
  for (observer* o : all_) o->on_event(e);
}

}  // namespace dspu::aio
