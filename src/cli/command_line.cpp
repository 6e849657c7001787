#include "cli/command_line.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace coppice::cli {
namespace {

bool is_option(std::string_view word) { return word.size() > 1 && word.front() == '-'; }

const Option* find_option(std::span<const Option> options, std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  for (const Option& option : options) {
    if (option.name == name || (!option.short_name.empty() && option.short_name == name))
      return &option;
  }
  return nullptr;
}

std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const Verb& verb : verbs()) {
    if (!verb.hidden) words.push_back(split(verb.name, ' ').front());
  }
  return words;
}

std::vector<std::string> second_words(std::string_view group) {
  std::vector<std::string> words;
  for (const Verb& verb : verbs()) {
    const std::vector<std::string> parts = split(verb.name, ' ');
    if (parts.size() == 2 && parts.front() == group) words.push_back(parts.back());
  }
  return words;
}

struct Words {
  std::vector<std::string> before_verb;  // common options that stand before the verb
  std::string first;                     // empty when there is none
  std::vector<std::string> rest;
};

Words separate(std::span<const std::string> arguments) {
  Words words;
  std::size_t i = 0;
  for (; i < arguments.size() && is_option(arguments[i]); ++i) {
    words.before_verb.push_back(arguments[i]);
    const Option* option = find_option(common_options(), arguments[i]);
    const bool takes_next =
        option != nullptr && !option->value.empty() && arguments[i].find('=') == std::string::npos;
    if (takes_next && i + 1 < arguments.size()) words.before_verb.push_back(arguments[++i]);
  }
  if (i < arguments.size()) words.first = arguments[i++];
  words.rest.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
  return words;
}

[[noreturn]] void refuse_unknown_verb(const std::string& first) {
  const std::string nearest = did_you_mean(first, first_words());
  throw Error(ErrorCode::kUsage, fmt::format("there is no command \"{}\"", first),
              nearest.empty() ? "`coppice help` lists the commands" : nearest);
}

// The verb that `words` begin with; its second word is taken from words.rest.
const Verb& take_verb(Words& words) {
  if (const Verb* verb = find_verb(words.first)) return *verb;
  if (!is_verb_group(words.first)) refuse_unknown_verb(words.first);
  if (!words.rest.empty() && !is_option(words.rest.front())) {
    const std::string second = words.rest.front();
    if (const Verb* verb = find_verb(words.first + " " + second)) {
      words.rest.erase(words.rest.begin());
      return *verb;
    }
    const std::vector<std::string> known = second_words(words.first);
    const std::string nearest = did_you_mean(second, known);
    throw Error(ErrorCode::kUsage,
                fmt::format("there is no command \"{} {}\"", words.first, second),
                nearest.empty() ? fmt::format("{} takes one of: {}", words.first, join(known, ", "))
                                : nearest);
  }
  if (const std::string_view name = default_verb(words.first); !name.empty())
    return *find_verb(name);
  throw Error(ErrorCode::kUsage,
              fmt::format("\"{}\" needs a second word: {}", words.first,
                          join(second_words(words.first), ", ")),
              fmt::format("`coppice help {}` explains them", words.first));
}

// `help` about the verb that the words before --help name, as far as they name one.
Invocation help_about(const Words& words) {
  Invocation invocation(*find_verb("help"));
  std::vector<std::string> about;
  if (!words.first.empty() && words.first != "help") about.push_back(words.first);
  const bool second_counts =
      is_verb_group(words.first) && !words.rest.empty() && !is_option(words.rest.front());
  if (second_counts) about.push_back(words.rest.front());
  if (!about.empty()) invocation.add("COMMAND", about);
  return invocation;
}

// True when --help or -h stands where an option is expected.
bool asks_for_help(const Verb* verb, std::span<const std::string> words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--") return false;
    if (words[i] == "--help" || words[i] == "-h") return true;
    const Option* option = find_option(common_options(), words[i]);
    if (option == nullptr && verb != nullptr) option = find_option(verb->options, words[i]);
    if (option != nullptr && !option->value.empty() && words[i].find('=') == std::string::npos) ++i;
  }
  return false;
}

struct Parsed {
  std::map<std::string, std::vector<std::string>> values;
  std::vector<std::string> flags;
};

void add_option(CLI::App& app, const Option& option, Parsed& parsed) {
  std::string names(option.name);
  if (!option.short_name.empty()) names += "," + std::string(option.short_name);
  const std::string name(option.name);
  if (option.value.empty()) {
    app.add_flag_callback(names, [&parsed, name] { parsed.flags.push_back(name); });
    return;
  }
  CLI::Option* added = app.add_option(names, [&parsed, name](const CLI::results_t& results) {
    parsed.values[name] = results;
    return true;
  });
  added->type_size(1)->expected(1)->allow_extra_args(false)->multi_option_policy(
      option.repeated ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::Throw);
}

void add_argument(CLI::App& app, const Argument& argument, Parsed& parsed) {
  const std::string name(argument.name);
  CLI::Option* added = app.add_option("A" + std::to_string(app.get_options().size()),
                                      [&parsed, name](const CLI::results_t& results) {
                                        parsed.values[name] = results;
                                        return true;
                                      });
  added->type_size(1)->allow_extra_args(argument.repeated);
  if (argument.repeated) {
    added->expected(argument.required ? 1 : 0, CLI::detail::expected_max_vector_size);
  } else {
    added->expected(1);
  }
}

[[noreturn]] void refuse_extra(const Verb& verb, const std::vector<std::string>& extra) {
  const std::string hint = fmt::format("`coppice help {}` shows what it takes", verb.name);
  for (const std::string& word : extra) {
    if (!is_option(word)) continue;
    std::vector<std::string> known;
    for (const Option& option : verb.options) known.emplace_back(option.name);
    for (const Option& option : common_options()) known.emplace_back(option.name);
    const std::string name = word.substr(0, word.find('='));
    const std::string nearest = did_you_mean(name, known);
    throw Error(ErrorCode::kUsage, fmt::format("{} has no option {}", verb.name, name),
                nearest.empty() ? hint : nearest);
  }
  throw Error(ErrorCode::kUsage,
              fmt::format("{} does not know what to do with \"{}\"", verb.name,
                          extra.empty() ? "" : extra.front()),
              hint);
}

[[noreturn]] void refuse_missing(const Verb& verb, std::string_view what) {
  throw Error(ErrorCode::kUsage, fmt::format("{} needs {}", verb.name, what),
              fmt::format("`coppice help {}` shows what it takes", verb.name));
}

// The option that wants a value where none follows.
const Option* option_without_value(const Verb& verb, const std::vector<std::string>& words) {
  for (std::size_t i = words.size(); i-- > 0;) {
    const Option* option = find_option(common_options(), words[i]);
    if (option == nullptr) option = find_option(verb.options, words[i]);
    if (option == nullptr || option->value.empty()) continue;
    if (i + 1 == words.size() || is_option(words[i + 1])) return option;
  }
  return nullptr;
}

void check_choice(std::string_view name, std::string_view choices, const std::string& text) {
  const std::vector<std::string> allowed = split(choices, '|');
  if (choices.empty() || std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return;
  throw Error(ErrorCode::kUsage,
              fmt::format("{} is \"{}\" but must be one of: {}", name, text, join(allowed, ", ")),
              did_you_mean(text, allowed));
}

Invocation checked(const Verb& verb, Parsed parsed) {
  for (const Argument& argument : verb.arguments) {
    const auto found = parsed.values.find(std::string(argument.name));
    if (found == parsed.values.end()) {
      if (!argument.required) continue;
      refuse_missing(verb, argument.name);
    }
    for (const std::string& text : found->second)
      check_choice(argument.name, argument.choices, text);
  }
  for (const Option& option : verb.options) {
    const auto found = parsed.values.find(std::string(option.name));
    if (found == parsed.values.end()) {
      if (option.required)
        refuse_missing(verb, std::string(option.name) + " " + std::string(option.value));
      continue;
    }
    for (const std::string& text : found->second) check_choice(option.name, option.choices, text);
  }
  Invocation invocation(verb);
  for (auto& [name, values] : parsed.values) invocation.add(name, std::move(values));
  for (const std::string& flag : parsed.flags) invocation.add(flag, {});
  if (invocation.has("--json") && invocation.has("--csv")) {
    throw Error(ErrorCode::kUsage, "--json and --csv exclude each other", "give one of them");
  }
  return invocation;
}

Invocation parse_words(const Verb& verb, std::vector<std::string> words) {
  CLI::App app;
  app.set_help_flag();
  Parsed parsed;
  for (const Option& option : common_options()) {
    if (option.name != "--help") add_option(app, option, parsed);
  }
  for (const Option& option : verb.options) add_option(app, option, parsed);
  for (const Argument& argument : verb.arguments) add_argument(app, argument, parsed);
  app.allow_extras();
  const std::vector<std::string> typed = words;
  try {
    std::reverse(words.begin(), words.end());  // CLI11 takes its arguments from the back
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (const Option* option = option_without_value(verb, typed)) {
      refuse_missing(verb, fmt::format("{} behind {}", option->value, option->name));
    }
    throw Error(ErrorCode::kUsage, fmt::format("{}: {}", verb.name, error.what()),
                fmt::format("`coppice help {}` shows what it takes", verb.name));
  }
  std::vector<std::string> extra = app.remaining();
  // CLI11 counts the "--" itself as left over.
  if (const auto mark = std::find(extra.begin(), extra.end(), "--"); mark != extra.end()) {
    extra.erase(mark);
  }
  if (!extra.empty()) refuse_extra(verb, extra);
  return checked(verb, std::move(parsed));
}

bool takes_next_word(const Verb& verb, std::string_view word) {
  const Option* option = find_option(common_options(), word);
  if (option == nullptr) option = find_option(verb.options, word);
  return option != nullptr && !option->value.empty() && word.find('=') == std::string::npos;
}

// A word like "-- find them\nSELECT 1" is SQL that begins with a comment, not an option.
bool is_comment(std::string_view word) {
  return word.starts_with("--") && word.size() > 2 &&
         (word[2] == ' ' || word.find('\n') != std::string::npos);
}

// Puts words that are SQL comments behind "--", where CLI11 takes them as arguments.
std::vector<std::string> move_comments_last(const Verb& verb, std::vector<std::string> words) {
  if (std::find(words.begin(), words.end(), "--") != words.end()) return words;
  std::vector<std::string> kept;
  std::vector<std::string> comments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool is_value = i > 0 && takes_next_word(verb, words[i - 1]);
    (!is_value && is_comment(words[i]) ? comments : kept).push_back(words[i]);
  }
  if (comments.empty()) return kept;
  kept.emplace_back("--");
  kept.insert(kept.end(), comments.begin(), comments.end());
  return kept;
}

}  // namespace

std::optional<std::string> Invocation::value(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.empty()) return std::nullopt;
  return found->second.front();
}

const std::vector<std::string>& Invocation::all(std::string_view name) const {
  static const std::vector<std::string> none;
  const auto found = values_.find(name);
  return found == values_.end() ? none : found->second;
}

const std::string& Invocation::argument(std::string_view name) const {
  const std::vector<std::string>& values = all(name);
  COPPICE_ASSERT(!values.empty());
  return values.front();
}

Invocation parse_command_line(std::span<const std::string> arguments) {
  Words words = separate(arguments);
  if (std::find(words.before_verb.begin(), words.before_verb.end(), "--version") !=
      words.before_verb.end()) {
    return Invocation(*find_verb("version"));
  }
  if (asks_for_help(nullptr, words.before_verb)) return help_about(words);
  if (words.first.empty()) {
    if (words.before_verb.empty()) return Invocation(*find_verb("help"));
    throw Error(ErrorCode::kUsage, fmt::format("no command after {}", words.before_verb.back()),
                "`coppice help` lists the commands");
  }
  const Words as_typed = words;
  if (is_verb_group(words.first) && asks_for_help(nullptr, words.rest)) return help_about(as_typed);
  const Verb& verb = take_verb(words);
  if (asks_for_help(&verb, words.rest)) return help_about(as_typed);

  std::vector<std::string> all_words = words.before_verb;
  all_words.insert(all_words.end(), words.rest.begin(), words.rest.end());
  return parse_words(verb, move_comments_last(verb, std::move(all_words)));
}

}  // namespace coppice::cli
