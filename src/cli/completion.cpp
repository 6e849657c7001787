#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "cli/documents.h"
#include "cli/verbs.h"

namespace coppice::cli {
namespace {

std::vector<const Verb*> shown_verbs() {
  std::vector<const Verb*> shown;
  for (const Verb& verb : verbs()) {
    if (!verb.hidden) shown.push_back(&verb);
  }
  return shown;
}

void add_once(std::vector<std::string>& words, std::string word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
}

std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const Verb* verb : shown_verbs()) add_once(words, split(verb->name, ' ').front());
  return words;
}

std::vector<std::string> second_words(const std::string& first) {
  std::vector<std::string> words;
  for (const Verb* verb : shown_verbs()) {
    const std::vector<std::string> parts = split(verb->name, ' ');
    if (parts.size() == 2 && parts.front() == first) words.push_back(parts.back());
  }
  return words;
}

std::vector<std::string> groups() {
  std::vector<std::string> words;
  for (const std::string& word : first_words()) {
    if (is_verb_group(word)) words.push_back(word);
  }
  return words;
}

void for_each_option(const Verb& verb, const std::function<void(const Option&)>& visit) {
  for (const Option& option : verb.options) visit(option);
  for (const Option& option : common_options()) visit(option);
}

std::string option_words(const Verb& verb) {
  std::vector<std::string> words;
  for_each_option(verb, [&](const Option& option) {
    words.emplace_back(option.name);
    if (!option.short_name.empty()) words.emplace_back(option.short_name);
  });
  return join(words, " ");
}

std::string spaces(std::string_view choices) {
  std::string words(choices);
  std::replace(words.begin(), words.end(), '|', ' ');
  return words;
}

// What the arguments of a verb offer, as words for the bash and zsh scripts: a list of choices or
// one of "@file", "@folder", "@table", "@verb", "@none".
std::string offer_word(Offer offer, std::string_view choices) {
  if (!choices.empty()) return spaces(choices);
  switch (offer) {
    case Offer::kFile:
      return "@file";
    case Offer::kFolder:
      return "@folder";
    case Offer::kTable:
      return "@table";
    case Offer::kVerb:
      return "@verb";
    case Offer::kNothing:
      return "@none";
  }
  return {};
}

std::string case_of_options() {
  std::string text = "    case \"$verb\" in\n";
  for (const Verb* verb : shown_verbs()) {
    text += fmt::format("        '{}') options='{}' ;;\n", verb->name, option_words(*verb));
  }
  return text + "    esac\n";
}

std::string case_of_values() {
  std::string text = "    case \"$verb $previous\" in\n";
  for (const Verb* verb : shown_verbs()) {
    for_each_option(*verb, [&](const Option& option) {
      if (option.value.empty()) return;
      const std::string offer = offer_word(option.offer, option.choices);
      text += fmt::format("        '{} {}'", verb->name, option.name);
      if (!option.short_name.empty())
        text += fmt::format(" | '{} {}'", verb->name, option.short_name);
      text += fmt::format(") offer='{}' ;;\n", offer);
    });
  }
  return text + "    esac\n";
}

std::string case_of_arguments() {
  std::string text = "    case \"$verb:$position\" in\n";
  for (const Verb* verb : shown_verbs()) {
    for (std::size_t i = 0; i < verb->arguments.size(); ++i) {
      const Argument& argument = verb->arguments[i];
      const std::string offer = offer_word(argument.offer, argument.choices);
      if (offer == "@none") continue;
      text += fmt::format("        '{}':{}) offer='{}' ;;\n", verb->name,
                          argument.repeated ? "*" : std::to_string(i), offer);
    }
  }
  return text + "    esac\n";
}

std::string options_with_values() {
  std::vector<std::string> names;
  for (const Verb* verb : shown_verbs()) {
    for_each_option(*verb, [&](const Option& option) {
      if (option.value.empty()) return;
      add_once(names, std::string(option.name));
      if (!option.short_name.empty()) add_once(names, std::string(option.short_name));
    });
  }
  return join(names, " | ");
}

// The part that bash and zsh share: from `words` (before the cursor, without "coppice") and
// `current` it finds verb, position, options and offer.
std::string analysis() {
  return fmt::format(
      R"sh(    local verb='' position=0 previous='' word skip='' options='' offer='' home=''
    local first='{}'
    for word in "${{words[@]}}"; do
        if [ -n "$skip" ]; then
            if [ "$skip" = '--home' ]; then home=$word; fi
            skip=''
            previous=''
            continue
        fi
        case "$word" in
            {}) skip=$word; previous=$word; continue ;;
            -*) continue ;;
        esac
        if [ -z "$verb" ]; then
            verb=$word
        else
            case "$verb" in
                {}) verb="$verb $word" ;;
                *) position=$((position + 1)) ;;
            esac
        fi
    done
    if [ -z "$skip" ]; then previous=''; fi
)sh",
      join(first_words(), " "), options_with_values(), join(groups(), " | "));
}

std::string case_of_groups() {
  std::string text = "        case \"$verb\" in\n";
  text += "            '') offer=$first ;;\n";
  for (const std::string& group : groups()) {
    text += fmt::format("            '{}') offer='{}' ;;\n", group, join(second_words(group), " "));
  }
  return text + "        esac\n";
}

std::string shared_body() {
  return analysis() + case_of_options() + "    if [ -n \"$previous\" ]; then\n" + case_of_values() +
         "    else\n" + case_of_groups() + case_of_arguments() + "    fi\n";
}

constexpr std::string_view kTables =
    "coppice ${home:+--home \"$home\"} debug table-names 2>/dev/null";

std::string bash_script() {
  return fmt::format(
      R"sh(# bash completion for coppice; made from its table of commands.
_coppice() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}"
    local words=("${{COMP_WORDS[@]:1:COMP_CWORD-1}}")
{}
    if [ -z "$previous" ] && [ "${{current:0:1}}" = '-' ]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
        return
    fi
    case "$offer" in
        @file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        @folder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        @table) mapfile -t COMPREPLY < <(compgen -W "$({})" -- "$current") ;;
        @verb) mapfile -t COMPREPLY < <(compgen -W "$first" -- "$current") ;;
        @none) COMPREPLY=() ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$current") ;;
    esac
}}
complete -F _coppice coppice
)sh",
      shared_body(), kTables);
}

std::string zsh_script() {
  return fmt::format(
      R"sh(#compdef coppice
# zsh completion for coppice; made from its table of commands.
_coppice() {{
    local current="${{words[CURRENT]}}"
    _coppice_offer "$current" "${{(@)words[2,CURRENT-1]}}"
}}
_coppice_offer() {{
    local current="$1"
    shift
    local -a words
    words=("$@")
{}
    if [ -z "$previous" ] && [ "${{current[1]}}" = '-' ]; then
        compadd -- ${{=options}}
        return
    fi
    case "$offer" in
        @file) _files ;;
        @folder) _files -/ ;;
        @table) compadd -- ${{(f)"$({})"}} ;;
        @verb) compadd -- ${{=first}} ;;
        @none) ;;
        *) compadd -- ${{=offer}} ;;
    esac
}}
if [ "$funcstack[1]" = '_coppice' ]; then
    _coppice "$@"
else
    compdef _coppice coppice
fi
)sh",
      shared_body(), kTables);
}

std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// The condition under which a verb has been typed.
std::string fish_condition(const Verb& verb) {
  std::string condition;
  for (const std::string& word : split(verb.name, ' ')) {
    if (!condition.empty()) condition += "; and ";
    condition += "__fish_seen_subcommand_from " + word;
  }
  return condition;
}

std::string fish_option(const Option& option, const std::string& condition) {
  std::string line = "complete -c coppice";
  if (!condition.empty()) line += " -n " + fish_quoted(condition);
  line += fmt::format(" -l {}", option.name.substr(2));
  if (!option.short_name.empty()) line += fmt::format(" -s {}", option.short_name.substr(1));
  if (!option.value.empty()) line += " -r";
  if (!option.choices.empty()) line += " -a " + fish_quoted(spaces(option.choices));
  if (option.offer == Offer::kFile) line += " -F";
  if (option.offer == Offer::kFolder) line += " -a '(__fish_complete_directories)'";
  return line + " -d " + fish_quoted(option.doc) + "\n";
}

std::string fish_arguments(const Verb& verb) {
  std::string text;
  const std::string begin = "complete -c coppice -n " + fish_quoted(fish_condition(verb));
  for (const Argument& argument : verb.arguments) {
    if (argument.offer == Offer::kTable) {
      text += begin + " -a '(coppice debug table-names 2>/dev/null)'\n";
    } else if (argument.offer == Offer::kFile) {
      text += begin + " -F\n";
    } else if (argument.offer == Offer::kFolder) {
      text += begin + " -a '(__fish_complete_directories)'\n";
    } else if (argument.offer == Offer::kVerb) {
      text += begin + " -a " + fish_quoted(join(first_words(), " ")) + "\n";
    }
  }
  return text;
}

std::string fish_script() {
  std::string text =
      "# fish completion for coppice; made from its table of commands.\n"
      "complete -c coppice -f\n";
  for (const Option& option : common_options()) text += fish_option(option, "");
  for (const Verb* verb : shown_verbs()) {
    const std::vector<std::string> words = split(verb->name, ' ');
    const std::string condition =
        words.size() == 1
            ? "__fish_use_subcommand"
            : fmt::format("__fish_seen_subcommand_from {}; and not __fish_seen_subcommand_from {}",
                          words[0], join(second_words(words[0]), " "));
    text += fmt::format("complete -c coppice -n {} -a {} -d {}\n", fish_quoted(condition),
                        words.back(), fish_quoted(verb->summary));
  }
  for (const std::string& group : groups()) {
    text += fmt::format("complete -c coppice -n __fish_use_subcommand -a {} -d {}\n", group,
                        fish_quoted(join(second_words(group), ", ")));
  }
  for (const Verb* verb : shown_verbs()) {
    text += fish_arguments(*verb);
    for (const Option& option : verb->options) text += fish_option(option, fish_condition(*verb));
  }
  return text;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  COPPICE_ASSERT(shell == "fish");
  return fish_script();
}

}  // namespace coppice::cli
