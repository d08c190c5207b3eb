#include "suggestion.hpp"

#include <algorithm>
#include <numeric>

namespace dspu::config {

namespace {

// How many letters are to be put in, left out or changed (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

}  // namespace

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  constexpr std::size_t longest = 100;
  const std::string* best = nullptr;
  std::size_t best_distance = std::min<std::size_t>(word.size(), 9) / 3 + 2;  // what is nearer is a slip
  for (const auto& k : known) {
    if (word.size() > longest || k.size() > longest) continue;
    const std::size_t d = distance(word, k);
    if (d >= best_distance) continue;
    best = &k;
    best_distance = d;
  }
  if (best != nullptr) return "; did you mean \"" + *best + "\"?";
  if (known.empty()) return "; there are none";
  std::string text = "; there are: ";
  for (const auto& k : known) text += (&k == &known.front() ? "" : ", ") + k;
  return text;
}

}  // namespace dspu::config
