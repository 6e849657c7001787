// media path, cat, export and gc: from values in cells to files, and back to free space.
//
// Model    A value is a media name ("media:<sha256>.<ext>") or an http(s) URL, whose content comes
//          from the cache, and is the one that was recorded when a cell with it was written.
//          TABLE.COLUMN stands for the distinct values of its current rows. gc leaves URLs that are
//          kept alone; it forgets what was recorded of those that are not held any more. It marks
//          what any version of any row and any staged row holds, and removes from the store what is
//          unmarked and older than the grace period. An object that was just stored and is in no
//          row yet is younger than that.
// Units    Grace is one hour; with COPPICE_TEST=1, COPPICE_MEDIA_GRACE_S seconds.
// Errors   kUsage for what is neither value nor column, kNotFound for an object that is not there,
//          kIntegrity for a reference whose content has changed, kType for a column that holds no
//          media, kInterrupted.
#pragma once

#include <filesystem>
#include <string>

#include "engine/context.h"
#include "engine/result_sink.h"

namespace coppice::engine {

// Rows (path), one a value.
void show_media_path(EngineContext& context, const std::string& value_or_column, ResultSink& sink);
void write_media(EngineContext& context, const std::string& value, int output_fd);
// Copies into `folder`, made when missing; the name of a file is digest and extension. Files that
// are there with the right size stay. Rows (file).
void export_media(EngineContext& context, const std::string& value_or_column,
                  const std::filesystem::path& folder, ResultSink& sink);
// With `dry_run`, rows (object, size_bytes) of what would go; else one row (objects, size_bytes).
void collect_media(EngineContext& context, bool dry_run, ResultSink& sink);

}  // namespace coppice::engine
