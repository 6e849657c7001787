// View text: what a plain view says, in the user's words, after what it reads was renamed.
//
// Model    The catalog keeps the query as the user wrote it. PostgreSQL's own view follows renames
// by
//          itself; the text would not, and could come to mean something else: a column of the old
//          name may be added later. So it is written anew from PostgreSQL's view whenever a
//          name that it reads changes, and, when it says `*`, whenever a column comes or goes.
// Errors   The server's.
#pragma once

#include <string>

#include "engine/context.h"

namespace coppice::engine {

// The query of PostgreSQL's view: engine calls plain again, "t:3" for a version of a table.
std::string view_text(EngineContext& context, const std::string& view);

enum class TextChange { kNames, kColumns };
// Writes the views that read `relation`, directly or not, anew in the catalog. In a transaction.
void renew_view_texts(EngineContext& context, const std::string& relation, TextChange change);

}  // namespace coppice::engine
