// Taking the dump of a database into a backup.
//
// Model    pg_dump of a version that fits the server writes its custom format, uncompressed, and
//          what it writes is cut and stored as it comes: never whole on disk or in memory.
// Threads  One thread; blobs are packed by threads of their own.
// Errors   kUnavailable when the server or pg_dump says no; kUnsupported when the server is newer
//          than every pg_dump that is installed.
// Source   docs/formats/files.md, "Dump"
#pragma once

#include <string>

#include "engine/result_sink.h"
#include "recovery/other_data.h"

namespace coppice::recovery {

// What is known before it is read. `conninfo` may hold a password; nothing of it is kept but host,
// port and name.
DumpedDatabase describe_database(const std::string& conninfo);
// Fills the content.
void take_dump(const std::string& conninfo, DumpedDatabase& database, repo::BlobWriter& writer,
               const GearTable& gear, ResultSink& sink);

}  // namespace coppice::recovery
