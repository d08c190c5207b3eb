#include "option_reader.hpp"

#include "dspu/config/values.hpp"
#include "suggestion.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace dspu::config::detail {

namespace {

template <class T>
std::optional<T> number_in(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// What follows a pointer in an option's name: "circuit_breaker.window.calls" is /window/calls.
std::string place_of(const std::string& option) {
  std::string place;
  const auto dot = option.find('.');
  if (dot == std::string::npos) return place;
  for (std::size_t i = dot; i < option.size() && option[i] != '\''; ++i) place += option[i] == '.' ? '/' : option[i];
  return place;
}

// The node there, or null.
const node* descend(const node& from, std::string_view place) {
  const node* n = &from;
  while (n != nullptr && !place.empty()) {
    place.remove_prefix(1);
    const auto key = place.substr(0, place.find('/'));
    place.remove_prefix(key.size());
    if (n->is == node::type::array) {
      const auto index = number_in<std::size_t>(std::string(key));
      n = index && *index < n->items.size() ? &n->items[*index] : nullptr;
    } else {
      n = n->find(key);
    }
  }
  return n;
}

// Tells what core says of an option. Returns: whether it is worth looking further without it.
bool tell_of(reading& r, const core::option_error& e, const node& n, const std::string& pointer,
             std::set<std::string>& ignored) {
  const std::string place = place_of(e.name());
  if (r.mistyped.contains(pointer) || r.mistyped.contains(pointer + place)) return false;
  if (n.is != node::type::object) {
    r.tell(n, pointer, "is " + excerpt(n) + "; " + place.substr(1) + " must be " + e.range());
    return false;
  }
  const node* at = descend(n, place);
  if (at == nullptr) {  // a default that does not go with the others
    r.tell(n, pointer, place.substr(1) + " is " + e.value() + "; must be " + e.range());
    return false;
  }
  if (!ignored.insert(pointer + place).second) return false;
  r.tell(*at, pointer + place, "is " + excerpt(*at) + "; must be " + e.range());
  return true;
}

template <class Options>
policy_plan read_options(reading& r, const node& n, const std::string& pointer) {
  std::set<std::string> ignored;
  for (bool again = false;; again = true) {
    Options o{};
    policy_plan plan{};
    const bool was_silent = r.silent;
    r.silent = was_silent || again;
    if (n.is == node::type::object) {
      object_reader object(r, n, pointer, ignored);
      kind<Options>::fields(object, o, plan);
      object.finish();
    } else {
      value_reader value(r, n, pointer);
      kind<Options>::short_form(value, o);
    }
    r.silent = was_silent;
    plan.options = o;
    try {
      kind<Options>::check(o);
      return plan;
    } catch (const core::option_error& e) {
      if (tell_of(r, e, n, pointer, ignored)) continue;
    } catch (const std::invalid_argument& e) {
      r.tell(n, pointer, e.what());
    }
    return plan;
  }
}

}  // namespace

// ---- values ----

void value_reader::operator()(std::int64_t& value) {
  const auto read = n_.is == node::type::number ? number_in<std::int64_t>(n_.text) : std::nullopt;
  if (!read) return wrong("a whole number");
  value = *read;
}

void value_reader::operator()(std::size_t& value) {
  const auto read = n_.is == node::type::number ? number_in<std::size_t>(n_.text) : std::nullopt;
  if (!read) return wrong("a whole number of at least 0");
  value = *read;
}

void value_reader::operator()(double& value) {
  const auto read = n_.is == node::type::number ? number_in<double>(n_.text) : std::nullopt;
  if (!read) return wrong("a number");
  value = *read;
}

void value_reader::operator()(bool& value) {
  if (n_.is != node::type::boolean) return wrong("true or false");
  value = n_.truth;
}

void value_reader::operator()(aio::duration& value) {
  try {
    if (n_.is != node::type::string) return wrong("a duration with its unit, such as \"250ms\" or \"1m30s\"");
    value = parse_duration(n_.text);
  } catch (const std::invalid_argument&) {
    wrong("a duration such as \"250ms\", \"30s\" or \"1m30s\" (units ns, us, ms, s, m, h, d)");
  }
}

void value_reader::ratio(double& value) {
  if (n_.is == node::type::number) return (*this)(value);
  try {
    if (n_.is != node::type::string || !n_.text.ends_with('%')) return wrong("a number, or a percentage such as \"10%\"");
    value = parse_ratio(n_.text);
  } catch (const std::invalid_argument&) {
    wrong("a percentage from \"0%\" to \"100%\"");
  }
}

std::optional<rate_spec> value_reader::read_rate() {
  try {
    if (n_.is == node::type::string) return parse_rate(n_.text);
  } catch (const std::invalid_argument&) {
  }
  wrong("a rate over 0 such as \"20/s\", \"100/m\", \"5/15s\" or \"1000/h,burst=50\" (burst at least 1)");
  return std::nullopt;
}

void value_reader::wrong(std::string_view must_be) {
  r_.mistyped.insert(pointer_);
  r_.tell(n_, pointer_, "is " + excerpt(n_) + "; must be " + std::string(must_be));
}

void value_reader::name(std::string& value) {
  if (n_.is != node::type::string) return wrong("a name");
  value = n_.text;
}

void value_reader::one_of(const std::vector<std::string>& known) {
  std::string range;
  for (const auto& k : known) range += (range.empty() ? "" : (&k == &known.back() ? " or " : ", ")) + json_quoted(k);
  wrong(range);
}

// ---- objects ----

const node* object_reader::take(std::string_view key) {
  keys_.emplace_back(key);
  return ignored_.contains(at(key)) ? nullptr : object_.find(key);
}

void object_reader::named(std::string_view key, std::string& name, std::string_view what,
                          const std::vector<std::string>& known) {
  const node* n = take(key);
  if (n == nullptr) return;
  std::string given;
  reader(*n, key).name(given);
  if (n->is != node::type::string) return;
  if (std::ranges::find(known, given) == known.end()) {
    r_.tell(*n, at(key), "is " + excerpt(*n) + "; must be the name of " + std::string(what) + suggestion(given, known));
    return;
  }
  name = given;
}

void object_reader::filter(std::string_view key, std::string& name) {
  named(key, name, "a filter of the program's", names_in(r_.functions.classifiers));
}

void object_reader::fault(std::string_view key, std::string& name, aio::fault_source& source) {
  const auto& faults = r_.functions.faults;
  named(key, name, "a fault of the program's", names_in(faults));
  if (!name.empty()) source = faults.at(name);
}

void object_reader::result(std::string_view key, std::string& name, aio::result_source& source) {
  const auto& results = r_.functions.results;
  named(key, name, "a result of the program's", names_in(results));
  if (!name.empty()) {
    source = results.at(name);
  } else if (object_.find(key) != nullptr) {
    r_.mistyped.insert(at("result_rate"));  // it may well be right, with a result that has a right name
  }
}

void object_reader::budget(std::string_view key, std::string& name) {
  named(key, name, "a retry_budget in /policies", r_.budgets);
}

void object_reader::finish() {
  for (const auto& m : object_.members) {
    if (std::ranges::find(keys_, m.key) != keys_.end()) continue;
    r_.tell(m.offset, at(m.key), "no such key" + suggestion(m.key, keys_));
  }
}

// ---- policies ----

policy_plan read_policy(reading& r, std::string_view kind_name, const node& n, const std::string& pointer) {
  policy_plan plan;
  for_each_kind([&]<class Options>(std::type_identity<Options>) {
    if (kind<Options>::name == kind_name) plan = read_options<Options>(r, n, pointer);
  });
  return plan;
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for_each_kind([&]<class Options>(std::type_identity<Options>) { names.emplace_back(kind<Options>::name); });
  return names;
}

}  // namespace dspu::config::detail
