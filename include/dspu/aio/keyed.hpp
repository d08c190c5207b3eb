// keyed: a policy for each host, tenant or user, made when its key first comes, and forgotten when nobody can
// tell.
//
//   keyed<rate_limiter> per_host{{.rate = 10}, {.max_keys = 10'000}};
//   co_await per_host.call(url.host(), fetch, url);
//
//   auto host_of = [](const std::string& url) { return host_in(url); };
//   auto resilient = retry{} | breakers.by(host_of) | per_host.by(host_of);    // by the arguments of each call
//   co_await resilient.call(fetch, url);
//
//   keyed<rate_limiter> per_tenant{[&](std::string_view tenant) { return plan_of(tenant); }};  // gives options
//   auto held = per_tenant.get("acme");                                        // like a shared_ptr
//   held->try_acquire();
//   co_await (held | timeout(2s)).call(fetch, url);
//
// There are at most max_keys. When a new key finds them all taken, one goes whose policy is as new
// (is_fresh(): a limiter that is full with nobody in line, a closed breaker with nothing counted, an empty
// bulkhead, an adaptive limit that has learnt nothing), whose options nobody has changed by hand, and which
// nobody holds: no call through it, no handle. So forgetting a key never changes a decision; only its
// statistics begin anew. If no policy may go, the new key gets too_many_keys_error, or the policy of
// overflow_key.
//
// A call holds its key's policy until it ends. A permit or reservation taken by hand does not: keep the
// handle as long.
//
// Thread-safety: everything may be called from any thread. A look-up of a key that is there shares a lock
// with others of its shard, allocates nothing, and costs four atomic operations. A new key takes that lock
// alone; when all are taken it may have to look at every policy, so that keys invented by an attacker, all in
// use, cost time in proportion to max_keys. It must outlive the calls made through it; handles may outlive
// it.
#pragma once

#include "dspu/aio/detail/keyed_stage.hpp"
#include "dspu/aio/detail/keyed_table.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/core/check.hpp"

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace dspu::aio {

template <class Key = std::string>
struct keyed_options {
  // How many keys there are at most. At least 1. A limiter's or a breaker's takes about 1.8 KB.
  std::size_t max_keys = 10'000;
  // How many locks they are spread over: more where many threads come at once, each some 200 bytes. 1 to
  // 4096.
  std::size_t shards = 16;
  // Keys that find no room share the policy of this one, which is made at once and always there, not counted
  // in max_keys. Without it: too_many_keys_error.
  std::optional<Key> overflow_key = std::nullopt;
};

// What a keyed policy has done, shard by shard, so not all of one moment.
struct keyed_statistics {
  std::size_t keys = 0;
  std::uint64_t created = 0;
  std::uint64_t evicted = 0;
  std::uint64_t overflowed = 0;       // times that a key found no room
  std::uint64_t exclusive_locks = 0;  // times that a shard's lock was taken alone
};

// A policy that can say whether it is as new, and how often its options were changed.
template <class Policy>
concept keyable = requires(Policy& p, const Policy& c) {
  p.stage();
  { c.is_fresh() } -> std::same_as<bool>;
  { c.revision() } -> std::convertible_to<std::uint64_t>;
};

// A key's policy, which is there as long as somebody holds it. Copies hold it too. Thread-safety: as a
// shared_ptr.
template <class Policy, class Key>
class keyed_handle {
 public:
  using hold = detail::entry_hold<detail::keyed_entry<Policy, Key>>;
  explicit keyed_handle(hold h) : hold_(std::move(h)) {}

  Policy& operator*() const { return hold_->policy; }
  Policy* operator->() const { return &hold_->policy; }
  // That of the overflow key, if that is whose policy it is.
  const Key& key() const { return hold_->key; }

  // Its part in a pipeline, which holds it too.
  auto stage() const { return detail::held_stage<Policy, hold>(hold_); }

 private:
  hold hold_;
};

template <keyable Policy, class Key = std::string, class Hash = std::hash<std::remove_cvref_t<key_view<Key>>>>
class keyed {
 public:
  using policy_type = Policy;
  using key_type = Key;
  using options_type = typename Policy::options_type;
  using handle = keyed_handle<Policy, Key>;
  using view = key_view<Key>;

  // The same options for each key, checked at once.
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit keyed(options_type each, keyed_options<Key> options = {})
      : keyed(always(std::move(each)), std::move(options)) {}
  // make(key) gives the options of a key, or its policy; called without a lock, perhaps more than once for a
  // key. What it throws, and what the policy's constructor throws, comes out of the call that needed it.
  template <class Make>
  requires std::invocable<const Make&, view>
  explicit keyed(Make make, keyed_options<Key> options = {})
      : options_(checked(std::move(options))),
        table_(options_.max_keys, options_.shards, maker_of(std::move(make))) {
    if (options_.overflow_key) overflow_ = table_.make_apart(*options_.overflow_key);
  }
  keyed(const keyed&) = delete;
  keyed& operator=(const keyed&) = delete;

  // The key's policy, made if it is not there. Never suspends. Throws: too_many_keys_error; what making it
  // throws.
  handle get(view key) {
    auto found = locate(key);
    if (!found) throw too_many_keys_error(options_.max_keys);
    return handle(std::move(found));
  }

  // Runs fn(args…), or fn(context, args…), once through the key's policy.
  // Suspends, throws: as the policy and fn do; too_many_keys_error. On cancel: as they do; nothing is left
  // running.
  template <class F, class... Args>
  requires detail::operation_for<F, Args...>
  auto call(view key, F fn, Args... args) {
    return start(detail::no_context{}, key, std::move(fn), std::move(args)...);
  }
  // The same within the budget of a call that is under way.
  template <class F, class... Args>
  requires detail::operation_for<F, Args...>
  auto call_in(const call_context& outer, view key, F fn, Args... args) {
    return start(call_context(outer), key, std::move(fn), std::move(args)...);
  }

  // As a policy whose key each call's arguments name: of(args…) is called when the call is made, and what it
  // throws is thrown there. Decorated callables and pipelines refer to this, which must outlive them.
  template <class Of>
  class by_key : public detail::value_verbs<by_key<Of>> {
   public:
    by_key(keyed& all, Of of) : all_(&all), of_(std::move(of)) {}
    auto stage() const { return detail::by_key_stage<keyed, Of>(*all_, of_); }

   private:
    keyed* all_;
    Of of_;
  };
  template <class Of>
  by_key<Of> by(Of of) & {
    return by_key<Of>(*this, std::move(of));
  }

  // Calls fn(key, policy) for each key, without a lock; not for those that come meanwhile, nor for the
  // overflow key's. A policy whose options it changes is not forgotten any more, for its key would come back
  // with the old ones: to change all, those to come too, use reconfigure.
  template <class Fn>
  requires std::invocable<Fn&, const Key&, Policy&>
  void for_each(Fn fn) {
    table_.for_each([&](auto& entry) { fn(entry.key, entry.policy); });
  }

  // New options for all keys, those that are there, which keep their state, and those to come. What was
  // changed by hand is overridden. Throws: std::invalid_argument; then nothing has changed.
  void reconfigure(options_type each) { reconfigure_by(always(std::move(each))); }
  // The same by key: make(key) gives options. If it throws, only those to come are changed, and some of the
  // others.
  template <class Make>
  requires std::convertible_to<std::invoke_result_t<const Make&, view>, options_type>
  void reconfigure_by(Make make) {
    table_.replace_maker(maker_of(make));
    const auto renew = [&](auto& entry) {
      entry.policy.reconfigure(make(entry.key));
      entry.is_up_to_date();
    };
    table_.for_each(renew);
    if (overflow_) renew(*overflow_);
  }

  std::size_t size() const { return table_.size(); }
  const keyed_options<Key>& options() const { return options_; }
  keyed_statistics statistics() const {
    const auto c = table_.counts();
    return {c.keys, c.created, c.evicted, overflowed_.load(std::memory_order_relaxed), c.exclusive_locks};
  }
  stage_facts facts() const {
    return {.policy = "keyed", .text = "by key, at most " + std::to_string(options_.max_keys)};
  }

 private:
  using table = detail::keyed_table<Policy, Key, Hash>;
  using hold = typename table::hold;
  friend class detail::located_stage<keyed>;

  static keyed_options<Key> checked(keyed_options<Key> o) {
    const auto in_range = [](const char* name, std::size_t n, std::size_t most, const char* range) {
      core::require(n >= 1 && n <= most, name, static_cast<std::int64_t>(n), range);
    };
    in_range("keyed.max_keys", o.max_keys, std::size_t{1} << 40, "1 to 2^40");
    in_range("keyed.shards", o.shards, 4096, "1 to 4096");
    return o;
  }
  // Throws: what the policy's constructor does.
  static auto always(options_type each) {
    [[maybe_unused]] const Policy trial(each);
    return [each = std::move(each)](view) { return each; };
  }
  template <class Make>
  static typename table::maker maker_of(Make make) {
    return [make = std::move(make)](view key) { return hold(new typename table::entry(Key(key), make)); };
  }

  template <class Given, class F, class... Args>
  auto start(Given&& given, view key, F fn, Args... args) {
    return detail::run_through(std::tuple(detail::located_stage<keyed>(*this, key)), std::move(given), std::move(fn),
                               std::move(args)...);
  }

  // Null if there is no room.
  hold locate(view key) {
    if (overflow_ && overflow_->key == key) return overflow_;
    auto found = table_.find_or_make(key);
    if (found) return found;
    overflowed_.fetch_add(1, std::memory_order_relaxed);
    return overflow_;
  }

  const keyed_options<Key> options_;
  table table_;
  hold overflow_;
  std::atomic<std::uint64_t> overflowed_{0};
};

}  // namespace dspu::aio
