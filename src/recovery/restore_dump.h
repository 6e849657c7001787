// Restoring the dump of a database into an empty one.
//
// Model    pg_restore reads what the repository gives, in one transaction: all of it is there, or
//          nothing. Roles that own something and are missing are made without LOGIN first.
// Threads  One thread; blobs are read by threads of their own.
// Errors   kRefused for a database that is not empty; kUnavailable, with what pg_restore said;
//          kIntegrity for a dump that is damaged.
#pragma once

#include <string>

#include "engine/result_sink.h"
#include "recovery/other_data.h"

namespace coppice::recovery {

// Throws when the dump could not be restored there; nothing is written.
void check_place_of_dump(const std::string& conninfo);
void restore_dump(const repo::Repository& repository, const DumpedDatabase& dump,
                  const std::string& conninfo, ResultSink& sink);

}  // namespace coppice::recovery
