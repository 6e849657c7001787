#include <fmt/core.h>

#include "cli/documents.h"
#include "cli/verbs.h"
#include "config/settings.h"
#include "config/version.h"

namespace coppice::cli {
namespace {

// Text as troff takes it: nothing in it is a request or an escape.
std::string troff(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else if (c == '\'') {
      result += "\\(aq";
    } else if (c == '"') {
      result += "\\(dq";
    } else if (c == '^') {
      result += "\\(ha";
    } else if (c == '~') {
      result += "\\(ti";
    } else if (c == '`') {
      result += "\\(ga";
    } else {
      result += c;
    }
  }
  if (result.starts_with('.')) result.insert(0, "\\&");
  std::string escaped;
  for (std::size_t at = 0;;) {
    const std::size_t ellipsis = result.find("…", at);
    escaped += result.substr(at, ellipsis - at);
    if (ellipsis == std::string::npos) return escaped;
    escaped += "\\[u2026]";
    at = ellipsis + std::string_view("…").size();
  }
}

std::string option_entry(const Option& option) {
  std::string names = "\\fB" + troff(option.name) + "\\fR";
  if (!option.short_name.empty()) names = "\\fB" + troff(option.short_name) + "\\fR, " + names;
  if (!option.value.empty()) names += " \\fI" + troff(option.value) + "\\fR";
  return fmt::format(".TP\n{}\n{}{}\n", names, troff(option.doc),
                     option.repeated ? " May be repeated." : "");
}

std::string verb_section(const Verb& verb) {
  std::string text = fmt::format(".SS {}\n", troff(usage(verb)));
  text += troff(verb.summary) + ".\n";
  if (!verb.details.empty()) text += troff(verb.details) + "\n";
  for (const Argument& argument : verb.arguments) {
    text += fmt::format(".TP\n\\fI{}\\fR\n{}\n", troff(argument.name), troff(argument.doc));
  }
  for (const Option& option : verb.options) text += option_entry(option);
  for (const Example& example : verb.examples) {
    text += ".PP\n";
    if (!example.meaning.empty())
      text += fmt::format("Example, {}:\n.PP\n", troff(example.meaning));
    text += fmt::format(".EX\n    {}\n.EE\n", troff(example.command));
  }
  return text;
}

std::string settings_section() {
  std::string text =
      ".SH CONFIGURATION\n"
      "Settings are read from \\fIconfig.toml\\fR in the home. Each is also an environment "
      "variable,\n"
      "which is stronger than the file; an option of the command line is stronger than both.\n"
      "\\fBcoppice doctor \\-\\-config\\fR prints what holds and where it comes from.\n";
  for (const Setting& setting : settings()) {
    const std::string standard = setting.default_value.empty()
                                     ? std::string("Not set by default.")
                                     : fmt::format("Default: {}.", troff(setting.default_value));
    text += fmt::format(".TP\n\\fB{}\\fR (\\fB{}\\fR)\n{} Allowed: {}. {}\n", troff(setting.key),
                        troff(environment_name(setting.key)), troff(setting.doc),
                        troff(allowed_values(setting)), standard);
  }
  return text;
}

constexpr std::string_view kEnd =
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBCOPPICE_HOME\\fR\nThe home, where \\-\\-home is not given.\n"
    ".TP\n\\fBCOPPICE_TEST\\fR, \\fBCOPPICE_CRASH_AT\\fR\n"
    "Fault hooks for tests: with COPPICE_TEST=1 the process ends, as by kill \\-9, at the point "
    "that\n"
    "COPPICE_CRASH_AT names.\n"
    ".TP\n\\fBCOPPICE_STORE_FAULT\\fR\n"
    "Likewise: \\fIKIND\\fR:\\fIN\\fR lets the N\\-th request to a repository go wrong; KIND is "
    "fail, "
    "vanish, lost, torn\n"
    "or dropped.\n"
    ".SH FILES\n"
    ".TP\n\\fI\\(ti/.coppice\\fR\nThe home of a user.\n"
    ".TP\n\\fI/var/lib/coppice\\fR\nThe home of root.\n"
    ".TP\n\\fIHOME/config.toml\\fR\nSettings.\n"
    ".TP\n\\fIHOME/shell_history\\fR\nWhat was typed in \\fBcoppice shell\\fR.\n"
    ".SH EXIT STATUS\n"
    ".TP\n0\nDone.\n"
    ".TP\n1\nFailed.\n"
    ".TP\n2\nWrong usage.\n"
    ".TP\n3\nPartly done; the message says how far.\n"
    ".TP\n4\nNot found: a table, version, file or home.\n"
    ".TP\n5\nRefused, for example because nobody confirmed it.\n"
    ".TP\n6\nAn integrity check failed.\n"
    ".TP\n130\nInterrupted.\n"
    ".SH SEE ALSO\n"
    "\\fBpsql\\fR(1), \\fBpostgres\\fR(1)\n";

}  // namespace

std::string man_page() {
  std::string text =
      fmt::format(".TH COPPICE 1 \"\" \"coppice {}\" \"User Commands\"\n", program_version());
  text +=
      ".SH NAME\n"
      "coppice \\- tables that compute and remember, for media and AI\n"
      ".SH SYNOPSIS\n"
      "\\fBcoppice\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\n"
      "Coppice keeps tables whose columns hold images, video, audio, documents, JSON and ordinary\n"
      "SQL values. Computed columns and views keep themselves up to date, every change is a "
      "version,\n"
      "and all of it is used through SQL on a PostgreSQL that Coppice looks after.\n"
      ".SH OPTIONS OF EVERY COMMAND\n";
  for (const Option& option : common_options()) text += option_entry(option);
  text += ".SH COMMANDS\n";
  for (const Verb& verb : verbs()) {
    if (!verb.hidden) text += verb_section(verb);
  }
  return text + settings_section() + std::string(kEnd);
}

}  // namespace coppice::cli
