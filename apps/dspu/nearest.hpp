// What somebody may have meant who typed a name that does not exist.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

// How many letters to insert, delete, replace, or swap with their neighbour turn one into the
// other.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The names that begin with `wrong`; else those that come nearest to it, at most a third of its
// letters away; else those that contain it. In the order of `names`, at most five. Leading dashes
// do not count.
std::vector<std::string> nearest(std::string_view wrong, const std::vector<std::string>& names);

}  // namespace dspu::app
