#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "cli/display_text.h"
#include "cli/documents.h"
#include "cli/verbs.h"
#include "config/version.h"

namespace coppice::cli {
namespace {

constexpr std::size_t kPageWidth = 88;

// Words of `text` in lines that begin at column `indent`; the first line is already there.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string result;
  std::size_t column = indent;
  for (const std::string& word : split(text, ' ')) {
    const std::size_t width = display_width(word);
    if (column > indent && column + 1 + width > kPageWidth) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
    column += width;
  }
  return result;
}

// "  name      text", with the text wrapped beside the name.
std::string entry(const std::string& name, std::string_view text, std::size_t name_width) {
  const std::size_t indent = name_width + 4;
  std::string line = "  " + name;
  if (name.size() + 4 > indent) {
    line += "\n" + std::string(indent, ' ');
  } else {
    line.append(indent - line.size(), ' ');
  }
  return line + wrapped(text, indent) + "\n";
}

std::string option_names(const Option& option) {
  std::string names = option.short_name.empty() ? "    " : std::string(option.short_name) + ", ";
  names += option.name;
  if (!option.value.empty()) names += " " + std::string(option.value);
  return names;
}

std::string option_doc(const Option& option) {
  return std::string(option.doc) + (option.repeated ? " May be repeated." : "");
}

std::string overview() {
  std::string text = fmt::format(
      "coppice {}: tables that compute and remember\n\nUsage: coppice COMMAND [OPTIONS]\n",
      program_version());
  std::string_view group;
  for (const Verb& verb : verbs()) {
    if (verb.hidden) continue;
    if (verb.group != group) {
      group = verb.group;
      text += fmt::format("\n{}\n", group);
    }
    text += entry(std::string(verb.name), verb.summary, 16);
  }
  text += "\nOptions of every command\n";
  for (const Option& option : common_options()) text += entry(option_names(option), option.doc, 22);
  return text + "\n`coppice help COMMAND` explains a command; `man coppice` explains them all.\n";
}

std::string page(const Verb& verb) {
  std::string text = fmt::format("{}.\n\nUsage: {}\n", verb.summary, usage(verb));
  if (!verb.details.empty()) text += "\n" + wrapped(verb.details, 0) + "\n";
  if (!verb.arguments.empty()) text += "\nArguments\n";
  for (const Argument& argument : verb.arguments) {
    text += entry(std::string(argument.name), argument.doc, 22);
  }
  text += "\nOptions\n";
  for (const Option& option : verb.options)
    text += entry(option_names(option), option_doc(option), 22);
  for (const Option& option : common_options()) text += entry(option_names(option), option.doc, 22);
  text += verb.examples.size() == 1 ? "\nExample\n" : "\nExamples\n";
  for (const Example& example : verb.examples) {
    text += "  " + std::string(example.command) + "\n";
    if (!example.meaning.empty()) text += "      " + std::string(example.meaning) + "\n";
  }
  return text;
}

std::string group_page(std::string_view first_word) {
  std::string text = fmt::format("Commands of coppice {}\n\n", first_word);
  for (const Verb& verb : verbs()) {
    if (verb.name.starts_with(std::string(first_word) + " ")) {
      text += entry(std::string(verb.name), verb.summary, 16);
    }
  }
  const std::string_view alone = default_verb(first_word);
  if (!alone.empty())
    text += fmt::format("\n`coppice {}` alone is `coppice {}`.\n", first_word, alone);
  return text + fmt::format("\n`coppice help {} …` explains one of them.\n", first_word);
}

}  // namespace

std::string usage(const Verb& verb) {
  std::string text = "coppice " + std::string(verb.name);
  for (const Argument& argument : verb.arguments) {
    std::string name(argument.name);
    if (argument.repeated) name += "…";
    text += argument.required ? " " + name : " [" + name + "]";
  }
  for (const Option& option : verb.options) {
    std::string shown(option.name);
    if (!option.value.empty()) shown += " " + std::string(option.value);
    text += option.required ? " " + shown : " [" + shown + "]";
    if (option.repeated) text += "…";
  }
  return text;
}

std::string help_text(std::string_view about) {
  if (about.empty()) return overview();
  if (const Verb* verb = find_verb(about)) return page(*verb);
  if (is_verb_group(about)) return group_page(about);
  std::vector<std::string> names;
  for (const Verb& verb : verbs()) names.emplace_back(verb.name);
  const std::string nearest = did_you_mean(about, names);
  throw Error(ErrorCode::kNotFound, fmt::format("there is no command \"{}\"", about),
              nearest.empty() ? "`coppice help` lists the commands" : nearest);
}

}  // namespace coppice::cli
