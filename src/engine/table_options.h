// Options of a table: ALTER TABLE … SET (retention = '30 days').
//
// Model    Retention says which versions `prune` keeps when it is not told otherwise: a number of
//          versions or an age. It is a setting, not a change of the table: no version is taken.
// Errors   kNotFound for other options, kSyntax for a value that is no retention; with line and
//          column.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "engine/context.h"
#include "sql/read.h"
#include "sql/source_text.h"

namespace coppice::engine {

// ALTER TABLE … SET (…), or RESET (…) with `reset`.
void set_table_options(EngineContext& context, const catalog::TableInfo& table,
                       std::span<const sql::Option> options, bool reset,
                       const sql::SourceText& source);

void set_retention(EngineContext& context, const sql::QualifiedName& table,
                   const std::optional<std::string>& retention);

// The value of an option of a table as it must be; throws what is wrong with it.
std::string checked_retention(const sql::Option& option, const sql::SourceText& source);

}  // namespace coppice::engine
