// Verbs: the one table of the command line. Parser, help, man page and shell completion read it.
//
// Model    A verb is one or two words ("ls", "schema dump") with arguments, options and examples.
//          Every verb also takes common_options(). Hidden verbs work but are not shown.
// Threads  The table is constant once built.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace coppice::cli {

// What shell completion offers for a value.
enum class Offer { kNothing, kFile, kFolder, kTable, kVerb };

struct Argument {
  std::string_view name;  // "TABLE"
  std::string_view doc;
  bool required = true;
  bool repeated = false;
  Offer offer = Offer::kNothing;
  std::string_view choices;  // separated by '|'; empty: anything
};

struct Option {
  std::string_view name;        // "--output"
  std::string_view short_name;  // "-o", or empty
  std::string_view value;       // "FILE"; empty: a flag without a value
  std::string_view doc;
  bool repeated = false;
  Offer offer = Offer::kNothing;
  std::string_view choices;
  bool required = false;
};

struct Example {
  std::string_view command;
  std::string_view meaning;
};

struct Verb {
  std::string_view name;
  std::string_view group;    // heading in the overview
  std::string_view summary;  // one line, no full stop
  std::string_view details;  // more sentences, or empty
  std::vector<Argument> arguments;
  std::vector<Option> options;
  std::vector<Example> examples;
  bool hidden = false;
};

std::span<const Verb> verbs();
std::span<const Option> common_options();
// nullptr when there is no such verb.
const Verb* find_verb(std::string_view name);
// The verb that a first word alone stands for: "jobs" is "jobs list". Empty when there is none.
std::string_view default_verb(std::string_view first_word);
// True for the first word of verbs of two words.
bool is_verb_group(std::string_view first_word);

}  // namespace coppice::cli
