// lint: what is wrong with a pipeline as it is written.
//
//   const auto row = timeout(2s) | retry{{.max_attempts = 5}} | timeout(2s);
//   for (const auto& w : lint(row)) std::cerr << to_string(w) << '\n';
//   // warning: no-time-for-retries at 0, 1, 2: an attempt may take 2 s (timeout at 2), and all of them together 2 s …
//
// It looks at what the policies say of themselves (facts()), not at what they meet in use; docs/lint.md lists all codes.
// It costs microseconds: call it in a test, or once at start.
//
// Thread-safety: pure functions.
#pragma once

#include "dspu/aio/stage_facts.hpp"

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::aio {

enum class lint_severity {
  note,     // works, though perhaps not as expected
  warning,  // a part of the row never does its work
  error,    // no call can come through, or calls can do harm
};

std::string_view name_of(lint_severity s);

struct lint_warning {
  // Stable from version to version: "retries-multiply".
  std::string_view code;
  lint_severity severity;
  // Where in the row, outermost first; 0 is the outermost policy.
  std::vector<std::size_t> positions;
  // What is wrong, with the numbers, why, and what to do instead.
  std::string text;

  bool operator==(const lint_warning&) const = default;
};

struct lint_options {
  // Whether the operation may be run twice without harm, which only you can know. Without it: nothing is said of repeats,
  // but for a note where a hedge makes them at once.
  std::optional<bool> idempotent = std::nullopt;
  // Leaves out what is less severe.
  lint_severity at_least = lint_severity::note;
};

// In the order of the row, then of severity, then of code. Empty: nothing is wrong that can be seen from here.
std::vector<lint_warning> lint(std::span<const stage_facts> row, const lint_options& options = {});

// Of a pipeline, or an any_policy.
template <class Pipeline>
  requires requires(const Pipeline& p) {
    { p.facts() } -> std::same_as<std::vector<stage_facts>>;
  }
std::vector<lint_warning> lint(const Pipeline& p, const lint_options& options = {}) {
  const auto row = p.facts();
  return lint(std::span<const stage_facts>(row), options);
}

// "warning: retries-multiply at 0, 2: …"
std::string to_string(const lint_warning& w);

}  // namespace dspu::aio
