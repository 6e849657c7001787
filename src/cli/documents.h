// Documents: help, man page and shell completion, all made from the table of verbs.
#pragma once

#include <string>
#include <string_view>

namespace coppice::cli {

struct Verb;

// "" gives the overview, a verb its page, a first word of two-word verbs the list of those.
// kNotFound (with the nearest name) for anything else.
std::string help_text(std::string_view about);

// coppice(1) as troff source.
std::string man_page();

// `shell` is "bash", "zsh" or "fish".
std::string completion_script(std::string_view shell);

// "coppice revert TABLE --to VERSION [--dry-run] [--yes]".
std::string usage(const Verb& verb);

}  // namespace coppice::cli
