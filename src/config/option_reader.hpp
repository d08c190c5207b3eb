// Reads the options of policies out of a JSON tree, and keeps what is wrong with them.
#pragma once

#include "document.hpp"
#include "dspu/config/values.hpp"
#include "kinds.hpp"

#include <concepts>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::config::detail {

// What all readers of a file share.
struct reading {
  const text_position& where;
  std::vector<problem>& problems;
  const bindings& functions;
  std::vector<std::string> budgets = {};
  std::set<std::string> mistyped = {};  // places of values that are not even of the right type
  bool silent = false;                  // it has all been told of already

  void tell(const node& n, const std::string& pointer, std::string text) { tell(n.offset, pointer, std::move(text)); }
  void tell(std::size_t offset, const std::string& pointer, std::string text) {
    if (!silent) problems.push_back(where.at(offset, pointer, std::move(text)));
  }
};

// One value at one place.
class value_reader {
 public:
  value_reader(reading& r, const node& n, std::string pointer) : r_(r), n_(n), pointer_(std::move(pointer)) {}

  void operator()(std::int64_t& value);
  void operator()(std::size_t& value);
  void operator()(double& value);
  void operator()(bool& value);
  void operator()(aio::duration& value);
  template <class E>
    requires std::is_enum_v<E>
  void operator()(E& value) {
    std::vector<std::string> known;
    for (const auto& w : words_of(E{})) {
      known.emplace_back(w.text);
      if (n_.is != node::type::string || n_.text != w.text) continue;
      value = w.value;
      return;
    }
    one_of(known);
  }
  template <class T>
  void operator()(std::optional<T>& value) {
    if (n_.is == node::type::null) {
      value.reset();
    } else {
      T inner{};
      (*this)(inner);
      value = inner;
    }
  }
  void ratio(double& value);
  // Anything with rate, per and capacity.
  template <class Band>
  void rate(Band& band) {
    if (n_.is == node::type::number) return (*this)(band.rate);
    const auto spec = read_rate();
    if (!spec) return;
    band.rate = spec->amount;
    band.per = spec->per;
    band.capacity = spec->burst;
  }
  // A string.
  void name(std::string& value);

  void wrong(std::string_view must_be);

 private:
  std::optional<rate_spec> read_rate();
  void one_of(const std::vector<std::string>& known);

  reading& r_;
  const node& n_;
  std::string pointer_;
};

// An object, key by key; keys that nobody asked for are mistakes.
class object_reader {
 public:
  // What is at one of the places in `ignored` is taken to be absent.
  object_reader(reading& r, const node& object, std::string pointer, const std::set<std::string>& ignored)
      : r_(r), object_(object), pointer_(std::move(pointer)), ignored_(ignored) {}

  template <class T>
  void operator()(std::string_view key, T& value) {
    if (const node* n = take(key)) reader(*n, key)(value);
  }
  void ratio(std::string_view key, double& value) {
    if (const node* n = take(key)) reader(*n, key).ratio(value);
  }
  template <class Band>
  void rate(std::string_view key, Band& band) {
    if (const node* n = take(key)) reader(*n, key).rate(band);
  }
  template <class T, class Fields>
  void object(std::string_view key, T& value, const Fields& fields) {
    if (const node* n = take(key)) read_object(*n, at(key), value, fields);
  }
  template <class T, class Fields>
  void list(std::string_view key, std::vector<T>& values, const Fields& fields) {
    const node* n = take(key);
    if (n == nullptr) return;
    if (n->is != node::type::array) return reader(*n, key).wrong("a list");
    for (std::size_t i = 0; i < n->items.size(); ++i) {
      const node& item = n->items[i];
      const std::string place = at(key) + "/" + std::to_string(i);
      T value{};
      if (item.is == node::type::string) {
        value_reader(r_, item, place).rate(value);
      } else {
        read_object(item, place, value, fields);
      }
      values.push_back(std::move(value));
    }
  }
  void filter(std::string_view key, std::string& name);
  void budget(std::string_view key, std::string& name);
  void fault(std::string_view key, std::string& name, aio::fault_source& source);
  void result(std::string_view key, std::string& name, aio::result_source& source);

  // Tells of the keys that are left.
  void finish();

 private:
  value_reader reader(const node& n, std::string_view key) { return {r_, n, at(key)}; }
  std::string at(std::string_view key) const { return pointer_ + "/" + escaped(key); }
  const node* take(std::string_view key);
  void named(std::string_view key, std::string& name, std::string_view what, const std::vector<std::string>& known);
  template <class T, class Fields>
  void read_object(const node& n, std::string place, T& value, const Fields& fields) {
    if (n.is != node::type::object) return value_reader(r_, n, std::move(place)).wrong("an object");
    object_reader inner(r_, n, std::move(place), ignored_);
    fields(inner, value);
    inner.finish();
  }

  reading& r_;
  const node& object_;
  std::string pointer_;
  const std::set<std::string>& ignored_;
  std::vector<std::string> keys_;
};

// The options of a policy from an object, or from what may stand in its place. Tells of all that is wrong with it.
policy_plan read_policy(reading& r, std::string_view kind_name, const node& n, const std::string& pointer);

std::vector<std::string> kind_names();

}  // namespace dspu::config::detail
