// Completion: names that may follow at the end of an unfinished statement.
//
// Model    Told from the words before the cursor, not from the grammar: after FROM, INTO, UPDATE,
//          TABLE and the like tables and views; behind "t." the columns of t or the tables of the
//          schema t; elsewhere columns of the tables named so far (of any, as long as none is),
//          engine functions and keywords.
//          What does not begin like the word before the cursor is left out.
// Errors   None: completion that cannot ask the database offers nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/context.h"

namespace coppice::engine {

std::vector<std::string> complete_text(EngineContext& context, std::string_view text);

}  // namespace coppice::engine
