#include "dspu/config/detail/plan.hpp"

#include "option_reader.hpp"
#include "suggestion.hpp"

#include <algorithm>
#include <tuple>

namespace dspu::config::detail {

namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c != 0x7F; });
}

bool is_kind(std::string_view name) {
  const auto kinds = kind_names();
  return std::ranges::find(kinds, name) != kinds.end();
}

bool in_a_row(const policy_plan& p) {
  return std::visit([]<class O>(const O&) { return kind<O>::in_a_row; }, p.options);
}

// So that no file takes long to read.
constexpr std::size_t most_names = 1000;
constexpr std::size_t most_in_a_row = 100;

class plan_reader {
 public:
  plan_reader(reading& r, const node& root) : r_(r), root_(root) {}

  file_plan read() {
    tell_of_duplicates(root_, "");
    if (root_.is != node::type::object) {
      value_reader(r_, root_, "").wrong("an object with \"policies\" and \"pipelines\"");
      return {};
    }
    const std::vector<std::string> sections{"$schema", "policies", "pipelines"};
    for (const auto& m : root_.members) {
      if (std::ranges::find(sections, m.key) == sections.end()) {
        r_.tell(m.offset, "/" + escaped(m.key), "no such key" + suggestion(m.key, sections));
      }
    }
    find_budgets();
    for_members("policies", [this](const member& m, const std::string& at) { read_shared(m, at); });
    for_members("pipelines", [this](const member& m, const std::string& at) { read_pipeline(m, at); });
    return std::move(plan_);
  }

 private:
  void tell_of_duplicates(const node& n, const std::string& pointer) {
    for (std::size_t i = 0; i < n.items.size(); ++i) tell_of_duplicates(n.items[i], pointer + "/" + std::to_string(i));
    std::set<std::string_view> seen;
    for (const auto& m : n.members) {
      const std::string at = pointer + "/" + escaped(m.key);
      if (!seen.insert(m.key).second) r_.tell(m.offset, at, "is there twice");
      tell_of_duplicates(m.value, at);
    }
  }

  template <class Do>
  void for_members(std::string_view section, const Do& what) {
    const node* n = root_.find(section);
    const std::string at = "/" + std::string(section);
    if (n == nullptr) return;
    if (n->is != node::type::object || n->members.size() > most_names) {
      return value_reader(r_, *n, at).wrong("an object of at most 1000 names");
    }
    for (const auto& m : n->members) {
      if (n->find(m.key) == &m.value) what(m, at + "/" + escaped(m.key));  // duplicates have been told of
    }
  }

  // The names that retries may refer to, wherever they are in the file.
  void find_budgets() {
    const node* n = root_.find("policies");
    if (n == nullptr || n->members.size() > most_names) return;
    for (const auto& m : n->members) {
      if (m.value.find("retry_budget") != nullptr) r_.budgets.push_back(m.key);
    }
  }

  // {"retry": …}
  std::optional<policy_plan> read_kinded(const node& n, const std::string& at) {
    const auto kinds = kind_names();
    if (n.is != node::type::object || n.members.empty()) {
      value_reader(r_, n, at).wrong("an object with the kind of policy as its key, such as {\"retry\": {\"max_attempts\": 5}}");
      return std::nullopt;
    }
    const member& first = n.members.front();
    for (std::size_t i = 1; i < n.members.size(); ++i) {
      if (n.members[i].key == first.key) continue;
      r_.tell(n.members[i].offset, at + "/" + escaped(n.members[i].key),
              "a policy has one key, its kind, and this has \"" + first.key + "\" already");
    }
    if (std::ranges::find(kinds, first.key) == kinds.end()) {
      r_.tell(first.offset, at + "/" + escaped(first.key), "no such kind of policy" + suggestion(first.key, kinds));
      return std::nullopt;
    }
    return read_policy(r_, first.key, first.value, at + "/" + escaped(first.key));
  }

  void read_shared(const member& m, const std::string& at) {
    if (!is_name(m.key)) r_.tell(m.offset, at, "is no name: it must not be empty, nor hold blanks");
    auto policy = read_kinded(m.value, at);
    known_.push_back(m.key);
    if (policy) plan_.policies.emplace(m.key, std::move(*policy));
  }

  void read_pipeline(const member& m, const std::string& at) {
    if (!is_name(m.key)) r_.tell(m.offset, at, "is no name: it must not be empty, nor hold blanks");
    if (m.value.is != node::type::array || m.value.items.size() > most_in_a_row) {
      return value_reader(r_, m.value, at).wrong("a list of at most 100 policies, outermost first");
    }
    std::vector<std::string> row;
    for (std::size_t i = 0; i < m.value.items.size(); ++i) {
      const node& n = m.value.items[i];
      const std::string place = at + "/" + std::to_string(i);
      const auto name = n.is == node::type::string ? read_text(m.key, n, place) : read_own(m.key, n, place);
      if (name.empty()) continue;
      const auto it = plan_.policies.find(name);
      if (it != plan_.policies.end() && !in_a_row(it->second)) {
        r_.tell(n, place, "a " + std::string(kind_of(it->second)) +
                              " is no part of a pipeline; name it in a retry: {\"retry\": {\"budget\": \"" + name + "\"}}");
      }
      row.push_back(name);
    }
    plan_.pipelines.emplace(m.key, std::move(row));
  }

  // The name of a shared policy, or "timeout 10s". Returns: the policy's name, or nothing.
  std::string read_text(const std::string& pipeline, const node& n, const std::string& at) {
    const auto blank = n.text.find(' ');
    if (blank == std::string::npos) {
      if (std::ranges::find(known_, n.text) != known_.end()) return n.text;
      const bool kind_alone = is_kind(n.text);
      r_.tell(n, at, "is " + excerpt(n) + "; must be the name of a policy in /policies" +
                         (kind_alone ? "; for one with its defaults write {\"" + n.text + "\": {}}" : suggestion(n.text, known_)));
      return {};
    }
    const std::string kind_name = n.text.substr(0, blank);
    if (!is_kind(kind_name)) {
      r_.tell(n, at, "is " + excerpt(n) + "; must begin with a kind of policy" + suggestion(kind_name, kind_names()));
      return {};
    }
    // A number if it looks like one, else a string: "retry 5", "timeout 10s".
    node value;
    value.text = n.text.substr(n.text.find_first_not_of(' ', blank) == std::string::npos
                                   ? n.text.size()
                                   : n.text.find_first_not_of(' ', blank));
    value.offset = n.offset;
    const bool number = value.text.find_first_not_of("0123456789.-+eE") == std::string::npos && !value.text.empty();
    value.is = number ? node::type::number : node::type::string;
    return add(pipeline, read_policy(r_, kind_name, value, at));
  }

  std::string read_own(const std::string& pipeline, const node& n, const std::string& at) {
    auto policy = read_kinded(n, at);
    return policy ? add(pipeline, std::move(*policy)) : std::string();
  }

  // A pipeline's own policy is known by the pipeline, its kind, and which of that kind it is there: whoever adds another
  // kind of policy to the row does not change it.
  std::string add(const std::string& pipeline, policy_plan policy) {
    const std::string stem = pipeline + " " + std::string(kind_of(policy)) + " ";
    int n = 1;
    while (plan_.policies.contains(stem + std::to_string(n))) ++n;
    const std::string name = stem + std::to_string(n);
    plan_.policies.emplace(name, std::move(policy));
    return name;
  }

  reading& r_;
  const node& root_;
  file_plan plan_;
  std::vector<std::string> known_;
};

}  // namespace

std::string_view kind_of(const policy_plan& p) {
  return std::visit([]<class O>(const O&) { return kind<O>::name; }, p.options);
}

bool is_shared(std::string_view policy_name) { return policy_name.find(' ') == std::string_view::npos; }

file_plan read_plan(std::string_view text, const std::string& source, const bindings& functions) {
  std::vector<problem> problems;
  file_plan plan;
  const text_position where(text);
  if (const auto root = parse_document(text, problems)) {
    reading r{.where = where, .problems = problems, .functions = functions};
    plan = plan_reader(r, *root).read();
  }
  if (problems.empty()) return plan;
  std::ranges::sort(problems, {}, [](const problem& p) { return std::tie(p.line, p.column, p.pointer, p.text); });
  throw config_error(source, std::move(problems));
}

}  // namespace dspu::config::detail
