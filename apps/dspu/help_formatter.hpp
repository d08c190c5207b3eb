// How --help looks: words are never broken, whatever the width of the terminal.
#pragma once

#include <CLI/CLI.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace dspu::app {

// `text` in lines of at most `width` columns, each but the first indented by `indent` blanks;
// longer words stand alone.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

// Of the terminal on standard output, from 80 to 100; 80 where that is no terminal.
std::size_t help_width();

class help_formatter : public CLI::Formatter {
 public:
  explicit help_formatter(std::size_t width = help_width()) : width_(width) {}

  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_footer(const CLI::App* app) const override;
  std::string make_subcommand(const CLI::App* app) const override;

 private:
  std::string entry(const std::string& name, const std::string& text) const;

  std::size_t width_;
};

}  // namespace dspu::app
