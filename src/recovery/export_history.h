// Every kept version of the rows of a backup, as SQL: the schema coppice_history.
//
// Source   docs/formats/export.md, "Histories"
#pragma once

#include "backup/tree.h"
#include "engine/result_sink.h"
#include "recovery/output_folder.h"

namespace coppice::recovery {

void export_history(const repo::Repository& repository, const Tree& home, OutputFile& file,
                    ResultSink& sink);

}  // namespace coppice::recovery
