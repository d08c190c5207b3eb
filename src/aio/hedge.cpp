#include "dspu/aio/hedge.hpp"

#include "dspu/aio/detail/in_words.hpp"
#include "dspu/aio/detail/judging.hpp"
#include "dspu/aio/retry_budget.hpp"

namespace dspu::aio::detail {

namespace {

core::hedge_options machine_options(const hedge_options& o) {
  return {.max_hedges = o.max_hedges, .delay = o.delay, .quantile = o.quantile, .min_delay = o.min_delay};
}

core::latency_quantile_options quantile_options(const hedge_options& o) {
  return {.window = o.window, .min_samples = o.min_samples};
}

}  // namespace

hedge_rules::hedge_rules(hedge_options o) : plan(machine_options(o)), options(std::move(o)) {}

hedge_state::hedge_state(hedge_options options)
    : rules_(std::make_shared<const hedge_rules>(std::move(options))),
      seen_(quantile_options(rules_->options)) {}

hedge_state::terms hedge_state::terms_at(core::instant now) {
  const std::lock_guard lock(mutex_);
  terms t{rules_, {}, duration{0}};
  const auto quantile = rules_->options.quantile;
  t.delay = rules_->plan.delay(quantile ? seen_.quantile(*quantile, now) : std::nullopt);
  if (quantile) t.fastest = seen_.quantile(0, now).value_or(duration{0});
  return t;
}

void hedge_state::reconfigure(hedge_options options, core::instant now) {
  auto rules = std::make_shared<const hedge_rules>(std::move(options));
  const std::lock_guard lock(mutex_);
  seen_.reconfigure(quantile_options(rules->options), now);
  rules_.swap(rules);
}

void hedge_state::record(duration latency, core::instant now) {
  const std::lock_guard lock(mutex_);
  seen_.record(latency, now);
}

stage_facts hedge_state::facts() const {
  const std::lock_guard lock(mutex_);
  const auto& o = rules_->options;
  const std::string when = o.quantile ? "the " + in_words(100 * *o.quantile) + " % quantile, at first " : "";
  return judging({.policy = "hedge",
                  .text = std::to_string(o.max_hedges) + " more, after " + when + in_words(o.delay),
                  .runs = 1 + o.max_hedges,
                  .concurrent_runs = true},
                 o.classify);
}

hedging::hedging(hedge_state& state, const call_context& context, family& f)
    : state_(state),
      terms_(state.terms_at(context.clock())),
      family_(f),
      context_(context),
      run_(context_),
      machine_(terms_.rules->plan, terms_.delay),
      began_(now()) {
  context_.hedge = 0;
  if (auto* const budget = terms_.rules->options.budget) {
    own_budget_ = true;
    budget->deposit(began_);
    context_.budget = budget;
  }
}

void hedging::proceed() {
  if (busy_) return;  // further out in this thread's calls, it goes on when we return
  struct being_busy {
    bool& flag;
    explicit being_busy(bool& f) : flag(f) { flag = true; }
    ~being_busy() { flag = false; }
  };
  const being_busy now_on(busy_);
  std::optional<core::instant> next_wake;
  for (bool done = false; !done;) {
    const auto d = machine_.next(now());
    switch (d.action) {
      case core::hedge_action::start:
        begin(d.attempt);
        break;
      case core::hedge_action::wait:
        if (fits(d.at)) next_wake = d.at;
        done = true;
        break;
      case core::hedge_action::won:
        settle(d.attempt);
        done = true;
        break;
      case core::hedge_action::failed:
        done = true;
        break;
    }
  }
  if (next_wake != wakes_at_) {
    let_sleep();
    wakes_at_ = next_wake;
    try {
      if (next_wake) wake_after(*next_wake - now());
    } catch (...) {  // there is no memory for the alarm: attempts that take long get no other beside them
    }
  }
}

void hedging::wake() {
  auto keep = share::of_the_living(family_);  // the last attempt may end in here, and the call with it
  if (!keep) return;
  wakes_at_.reset();
  let_sleep();
  proceed();
  keep->end();
}

void hedging::begin(std::int64_t number) {
  budget_charge charge;
  if (number > 0 && !may_hedge(number, charge)) {
    machine_.suppress();
    return;
  }
  machine_.started(now());
  auto context = context_;
  context.hedge = number;
  attempt* begun = nullptr;
  try {
    begun = &another(number);
    charge.hand_over(begun->charge, begun->starts);
    context.whole = &begun->starts;
    add(*begun);
    start(*begun, std::move(context));
  } catch (...) {  // there is no memory for another; those under way go on
    if (number == 0) throw;
    if (begun != nullptr) give_up(*begun);
    machine_.finished(number, false);
    machine_.suppress();
  }
}

// It was not started.
void hedging::give_up(attempt& a) {
  a.over = true;
  a.charge.give_back_unless_begun();
}

bool hedging::fits(core::instant start) const {
  return start != core::instant::max() && core::add_saturating(start, terms_.fastest) < context_.deadline;
}

bool hedging::may_hedge(std::int64_t number, budget_charge& charge) {
  const auto& options = terms_.rules->options;
  const auto t = now();
  if (family_.cancelled() || !fits(t)) return false;
  auto* const budget = context_.budget;
  if (!options.shadow && budget != nullptr && charge.take(*budget, t, run_.counter) == core::withdrawal::refused) return false;
  state_.count_hedge();
  run_.tell(options.shadow ? event_kind::shadowed : event_kind::hedged, "hedge",
            newest_->over ? "failed" : "slow",
            {{"hedge", static_cast<double>(number)},
             {"delay", in_seconds(terms_.delay)},
             {"seconds", in_seconds(t - newest_->began)}},
            context_.last_error);
  return !options.shadow;
}

void hedging::add(attempt& a) {
  a.began = now();
  a.older = newest_;
  newest_ = &a;
  if (a.number == 0) first_ = &a;
}

void hedging::ended(attempt& a, ending e) {
  a.over = true;
  if (winner_) {  // it has lost
    a.charge.give_back_unless_begun();
    return;
  }
  const bool cancelled = family_.cancelled();
  verdict v = verdict::failure;
  if (!cancelled || e.has_value()) {
    try {
      v = judge(e);
    } catch (...) {  // a classifier of the user's: who called is to see that
      e.fail(std::current_exception());
      v = verdict::ignored;
    }
  }
  const bool cut = cancelled && v == verdict::failure;
  if (cut) a.charge.give_back_unless_begun();
  a.charge.keep();
  if (own_budget_ && !cut) context_.budget->record(v, now());
  machine_.finished(a.number, v != verdict::failure);
  if (v == verdict::failure && !cut) {
    if (a.starts.count > 0) run_.note_error(e.view());
    first_failed_ = first_failed_ || a.number == 0;
  }
  if (v == verdict::success && a.number == 0 && terms_.rules->options.quantile)
    state_.record(now() - a.began, now());
  proceed();
}

verdict hedging::judge(ending e) const {
  const auto& classify = terms_.rules->options.classify;
  return classify ? classify(e.view()) : default_verdict(e.view());
}

void hedging::settle(std::int64_t winner) {
  winner_ = winner;
  if (winner > 0) {
    state_.count_win();
    const attempt* a = newest_;
    while (a->number != winner) a = a->older;
    run_.tell(event_kind::hedge_won, "hedge", "",
              {{"hedge", static_cast<double>(winner)},
               {"seconds", in_seconds(now() - a->began)},
               {"since_call", in_seconds(now() - began_)}});
    if (!first_->over && terms_.rules->options.quantile) state_.record(now() - first_->began, now());
  }
  for (attempt* a = newest_; a != nullptr; a = a->older) {
    if (!a->over) a->thread.cancel(asio::cancellation_type::terminal);
  }
}

std::optional<std::int64_t> hedging::chosen() const {
  if (winner_) return winner_;
  if (first_failed_ && family_.cancelled()) return std::nullopt;
  return 0;
}

}  // namespace dspu::aio::detail
