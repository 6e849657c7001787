// Command text: AS 'program {0} --to {out}' of LANGUAGE command as the words of a program's argv.
//
// Model    Words are separated by spaces, tabs and newlines. 'single quotes' keep everything in
// them,
//          "double quotes" everything but \" and \\; outside of quotes a backslash keeps the
//          character behind it. {0}, {1}, … are the arguments and {out} the file that the program
//          shall write;
//          {{ and }} are braces. There is no shell: $, *, |, > and the like mean nothing.
// Errors   kUsage with what is wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workers/signature.h"

namespace coppice::engine {

// The words, holes as they are.
std::vector<std::string> command_words(std::string_view text);

// Refuses holes for arguments that are not there, arguments without a hole, and {out} where the
// result is not media, or is and has none.
void check_command(const std::vector<std::string>& words, const Signature& signature);

}  // namespace coppice::engine
