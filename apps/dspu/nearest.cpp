#include "dspu/nearest.hpp"

#include <algorithm>
#include <numeric>

namespace dspu::app {

namespace {

constexpr std::size_t most_shown = 5;

std::string_view without_dashes(std::string_view name) {
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  return name;
}

template <class Wanted>
std::vector<std::string> chosen(const std::vector<std::string>& names, Wanted wanted) {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (found.size() < most_shown && wanted(without_dashes(name))) found.push_back(name);
  }
  return found;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1, i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, std::move(row));
  }
  return last.back();
}

std::vector<std::string> nearest(std::string_view wrong, const std::vector<std::string>& names) {
  wrong = without_dashes(wrong);
  if (wrong.size() < 2) return {};
  auto found = chosen(names, [&](std::string_view name) { return name.starts_with(wrong); });
  if (!found.empty()) return found;
  std::size_t least = wrong.size() / 3 + 1;  // one more than what is near enough
  for (const std::string& name : names)
    least = std::min(least, edit_distance(wrong, without_dashes(name)));
  if (least <= wrong.size() / 3)
    return chosen(names,
                  [&](std::string_view name) { return edit_distance(wrong, name) == least; });
  return chosen(names, [&](std::string_view name) { return name.find(wrong) != name.npos; });
}

}  // namespace dspu::app
