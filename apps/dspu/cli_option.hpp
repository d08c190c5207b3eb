// Binds a command-line option to a parser of parse.hpp, with errors that begin with the option's name.
#pragma once

#include <CLI/CLI.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dspu::app {

// `parse` is called with the option's text; what it throws as std::invalid_argument becomes a usage error.
// The default that --help shows is `shown_default`, as a person would type it.
template <class Parse, class Target>
CLI::Option* add_parsed_option(CLI::App& app, const std::string& name, Target& target, Parse parse,
                               const std::string& help, const std::string& shown_default = {}) {
  const std::string error_name = name.substr(name.rfind(',') + 1);
  auto assign = [&target, parse = std::move(parse), error_name](const std::string& text) {
    try {
      target = parse(text);
    } catch (const std::invalid_argument& error) {
      throw CLI::ValidationError(error_name, error.what());
    }
  };
  CLI::Option* option = app.add_option_function<std::string>(name, std::move(assign), help);
  if (!shown_default.empty()) option->default_str(shown_default);
  return option;
}

// The same for an option that may be given several times: its values are added to `target`.
template <class Parse, class Value>
CLI::Option* add_parsed_options(CLI::App& app, const std::string& name, std::vector<Value>& target,
                                Parse parse, const std::string& help) {
  auto add = [&target, parse = std::move(parse), name](const std::vector<std::string>& texts) {
    try {
      for (const std::string& text : texts) target.push_back(parse(text));
    } catch (const std::invalid_argument& error) {
      throw CLI::ValidationError(name, error.what());
    }
  };
  return app.add_option_function<std::vector<std::string>>(name, std::move(add), help)
      ->allow_extra_args(false);
}

}  // namespace dspu::app
