// Command line: what the user typed, checked against the table of verbs.
//
// Model    Options may stand before or after the verb and its arguments; after "--" everything is
// an
//          argument, and so is a SQL comment ("-- …"). "--help" anywhere gives the verb "help".
// Errors   kUsage with the nearest verb or option as a hint.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/verbs.h"

namespace coppice::cli {

class Invocation {
 public:
  explicit Invocation(const Verb& verb) : verb_(&verb) {}

  const Verb& verb() const { return *verb_; }
  // Options by their long name with dashes, arguments by the name in the table.
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  std::optional<std::string> value(std::string_view name) const;
  const std::vector<std::string>& all(std::string_view name) const;
  // A required argument or option.
  const std::string& argument(std::string_view name) const;

  void add(std::string_view name, std::vector<std::string> values) {
    values_[std::string(name)] = std::move(values);
  }

 private:
  const Verb* verb_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// `arguments` are those after the program's name.
Invocation parse_command_line(std::span<const std::string> arguments);

}  // namespace coppice::cli
