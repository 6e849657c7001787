// The entry of the SQL fuzzer, shared by libFuzzer and the bounded run in the unit tests.
//
// Model    Runs one input through every function of src/sql that reads users' text, and checks what
//          must always hold: our lexer agrees with PostgreSQL's, no tree is deeper than the guard
//          said, a copy equals its original, what deparse writes reads back as the same tree, and
//          whatever fails, fails as an Error with a message.
// Errors   None: a broken promise ends the program.
#pragma once

#include <string_view>

namespace coppice::sql {

void fuzz_sql(std::string_view input);

}  // namespace coppice::sql
