#include "dspu/help_formatter.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace dspu::app {

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string lines;
  std::size_t used = indent;
  bool first_word = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (indent + word.size() > width) {  // a list without blanks breaks behind a comma
      const std::size_t room = width > used + 1 ? width - used - 1 : 0;
      const std::size_t comma = word.substr(0, room).rfind(',');
      if (comma == word.npos && used == indent) break;
      if (comma == word.npos) {
        lines.append("\n").append(indent, ' ');
        used = indent;
        first_word = true;
        continue;
      }
      lines.append(first_word ? "" : " ").append(word.substr(0, comma + 1)).append("\n").append(indent, ' ');
      word.remove_prefix(comma + 1);
      used = indent;
      first_word = true;
    }
    if (!first_word && used + 1 + word.size() > width) {
      lines.append("\n").append(indent, ' ');
      used = indent;
    } else if (!first_word) {
      lines += ' ';
      ++used;
    }
    lines += word;
    used += word.size();
    first_word = false;
  }
  return lines;
}

std::size_t help_width() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? std::clamp<std::size_t>(size.ws_col, 80, 100) : 80;
}

std::string help_formatter::entry(const std::string& name, const std::string& text) const {
  std::string line = "  " + name;
  const std::size_t column = std::min(get_column_width(), width_ / 2);
  if (line.size() + 2 > column) {
    line += "\n";
    line.append(column, ' ');
  } else {
    line.append(column - line.size(), ' ');
  }
  return line + wrapped(text, column, width_) + "\n";
}

std::string help_formatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string name = make_option_name(option, is_positional);
  if (const auto comma = name.find(','); comma != name.npos) name.insert(comma + 1, " ");
  return entry(name + make_option_opts(option), make_option_desc(option));
}

std::string help_formatter::make_option_opts(const CLI::Option* option) const {
  const std::string type = option->get_type_name();
  if (type.empty() || option->get_type_size() == 0) return {};
  return (type.starts_with('[') ? "" : " ") + type;
}

std::string help_formatter::make_option_desc(const CLI::Option* option) const {
  std::string text = option->get_description();
  if (option->get_required()) text += " (required)";
  if (!option->get_default_str().empty()) text += " (default " + option->get_default_str() + ")";
  std::string others;
  for (const CLI::Option* other : option->get_excludes())
    others += (others.empty() ? "" : ", ") + other->get_name();
  if (!others.empty()) text += " (not with " + others + ")";
  return text;
}

std::string help_formatter::make_footer(const CLI::App* app) const {
  const std::string footer = app->get_footer();
  return footer.empty() ? footer : wrapped(footer, 0, width_) + "\n";
}

std::string help_formatter::make_subcommand(const CLI::App* app) const {
  return entry(app->get_name(), app->get_description());
}

}  // namespace dspu::app
