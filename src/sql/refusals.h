// Refusals: the parts and statements that format 1 of Coppice does not take, each with its hint.
//
// Model    classify.h asks here. Each function gives the first refusal that it finds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sql/tree.h"

namespace coppice::sql {

struct Refusal {
  std::string what;  // "FOR UPDATE", "CREATE TRIGGER": a subject for "… is not supported"
  std::string hint;
  std::int32_t location = -1;
};

// Statements that are refused as such; nullopt when the statement's kind may be supported.
std::optional<Refusal> refused_statement(Node* statement);

// Parts anywhere below: locking, SELECT INTO, data-modifying WITH, REFERENCES, TEMP …
std::optional<Refusal> refused_part(Node* statement);

// Of one subcommand of ALTER TABLE.
std::optional<Refusal> refused_alteration(const PgQuery__AlterTableCmd& command);

}  // namespace coppice::sql
