#include "dspu/config/detail/plan.hpp"

#include "document.hpp"
#include "dspu/config/values.hpp"
#include "kinds.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace dspu::config::detail {

namespace {

std::string shortest(double value) {
  std::array<char, 40> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string in_json(std::int64_t v) { return std::to_string(v); }
std::string in_json(std::size_t v) { return std::to_string(v); }
std::string in_json(double v) { return shortest(v); }
std::string in_json(bool v) { return v ? "true" : "false"; }
std::string in_json(aio::duration v) { return json_quoted(format_duration(v)); }
template <class E>
  requires std::is_enum_v<E>
std::string in_json(E v) {
  for (const auto& w : words_of(E{})) {
    if (w.value == v) return json_quoted(w.text);
  }
  return "null";
}

// Writes every option that has a value.
class object_writer {
 public:
  template <class T>
  void operator()(std::string_view key, const T& value) {
    put(key, in_json(value));
  }
  template <class T>
  void operator()(std::string_view key, const std::optional<T>& value) {
    if (value) put(key, in_json(*value));
  }
  void operator()(std::string_view key, std::size_t value) {
    if (value != std::numeric_limits<std::size_t>::max()) put(key, in_json(value));  // else it is unbounded
  }
  void ratio(std::string_view key, double value) { put(key, in_json(value)); }
  template <class Band>
  void rate(std::string_view key, const Band& band) {
    put(key, in_json(band.rate));
  }
  template <class T, class Fields>
  void object(std::string_view key, T& value, const Fields& fields) {
    put(key, written(value, fields));
  }
  template <class T, class Fields>
  void list(std::string_view key, std::vector<T>& values, const Fields& fields) {
    std::string items;
    for (auto& v : values) items += (items.empty() ? "" : ", ") + written(v, fields);
    put(key, "[" + items + "]");
  }
  void filter(std::string_view key, const std::string& name) { refer(key, name); }
  void budget(std::string_view key, const std::string& name) { refer(key, name); }
  void fault(std::string_view key, const std::string& name, const aio::fault_source&) { refer(key, name); }
  void result(std::string_view key, const std::string& name, const aio::result_source&) { refer(key, name); }

  std::string text() const { return "{" + members_ + "}"; }

 private:
  template <class T, class Fields>
  static std::string written(T& value, const Fields& fields) {
    object_writer inner;
    fields(inner, value);
    return inner.text();
  }
  void refer(std::string_view key, const std::string& name) {
    if (!name.empty()) put(key, json_quoted(name));
  }
  void put(std::string_view key, const std::string& value) {
    if (!members_.empty()) members_ += ", ";
    members_ += json_quoted(key) + ": " + value;
  }

  std::string members_;
};

}  // namespace

std::string to_json(policy_plan p) {
  return std::visit(
      [&]<class O>(O& options) {
        object_writer w;
        kind<O>::fields(w, options, p);
        return "{" + json_quoted(kind<O>::name) + ": " + w.text() + "}";
      },
      p.options);
}

std::string to_json(const file_plan& plan) {
  std::string policies;
  for (const auto& [name, p] : plan.policies) {
    if (is_shared(name)) policies += (policies.empty() ? "\n    " : ",\n    ") + json_quoted(name) + ": " + to_json(p);
  }
  std::string pipelines;
  for (const auto& [name, row] : plan.pipelines) {
    std::string stages;
    for (const auto& s : row) {
      stages += (stages.empty() ? "\n      " : ",\n      ") + (is_shared(s) ? json_quoted(s) : to_json(plan.policies.at(s)));
    }
    pipelines += (pipelines.empty() ? "\n    " : ",\n    ") + json_quoted(name) + ": [" + stages + "]";
  }
  return "{\n  \"policies\": {" + policies + "},\n  \"pipelines\": {" + pipelines + "}\n}\n";
}

}  // namespace dspu::config::detail
