#include "dspu/usage_message.hpp"

#include "dspu/foreign_options.hpp"
#include "dspu/nearest.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace dspu::app {

namespace {

std::string in_words(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

std::string suggestion(std::string_view wrong, const std::vector<std::string>& names) {
  const auto near = nearest(wrong, names);
  return near.empty() ? "" : "; did you mean " + in_words(near) + "?";
}

// The command that was given, or the program itself.
const CLI::App& given_command(const CLI::App& root) {
  const auto given = root.get_subcommands();
  return given.empty() ? root : *given.front();
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> command_names(const CLI::App& root) {
  std::vector<std::string> names;
  for (const CLI::App* command : root.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::string about_option(const CLI::App& app, std::string_view argument) {
  const std::string_view name = argument.substr(0, argument.find('='));
  std::string text = "unknown option " + std::string(name);
  const std::string_view hint = app.get_name() == "fetch" ? hint_for(name) : std::string_view();
  if (!hint.empty()) text += "; in dspu fetch: " + std::string(hint);
  return text + suggestion(name, option_names(app));
}

std::string about_extras(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  const auto option =
      std::ranges::find_if(extras, [](const std::string& text) { return text.starts_with('-'); });
  if (option != extras.end()) return about_option(app, *option);
  return "unexpected argument '" + (extras.empty() ? "" : extras.front()) + "'";
}

std::string about_command(const CLI::App& root) {
  const auto names = command_names(root);
  const std::vector<std::string> extras = root.remaining();
  const auto word =
      std::ranges::find_if(extras, [](const std::string& text) { return !text.starts_with('-'); });
  if (word == extras.end() && !extras.empty()) return about_option(root, extras.front());
  if (word == extras.end()) return "a command is missing: " + in_words(names);
  const std::string near = suggestion(*word, names);
  return "unknown command '" + *word + "'" +
         (near.empty() ? "; there are " + in_words(names) : near);
}

// CLI11 says these in words of its own only, "--rate: At Most 1 required but received 2".
std::string about_count(const CLI::App& app, const std::string& words) {
  if (words.find("disallowed flag override") != words.npos)
    return "--" + words.substr(0, words.find(' ')) + " takes no value";
  const std::string name = words.substr(0, words.find_first_of(": "));
  const CLI::Option* option = app.get_option_no_throw(name);
  if (option == nullptr) return words;
  const auto values = option->results();
  if (values.size() > 1) {
    std::string given;
    for (const std::string& value : values) given += (given.empty() ? "" : ", ") + value;
    return name + " is given " + std::to_string(values.size()) + " times (" + given +
           "); it takes one value";
  }
  return name + " needs a value (" + option->get_type_name() + ")";
}

std::string about(const CLI::App& root, const CLI::App& command, const CLI::ParseError& error) {
  const std::string words = error.what();
  if (&command == &root) return about_command(root);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return about_extras(command);
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
    return about_count(command, words);
  if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr) {
    constexpr std::string_view between = " excludes ";
    const auto at = words.find(between);
    if (at != words.npos)
      return words.substr(0, at) + " and " + words.substr(at + between.size()) +
             " exclude each other";
  }
  return words;
}

}  // namespace

std::string usage_message(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& command = given_command(root);
  const std::string name =
      &command == &root ? root.get_name() : root.get_name() + " " + command.get_name();
  return name + ": " + about(root, command, error) + "\nTry '" + name + " --help'.\n";
}

}  // namespace dspu::app
