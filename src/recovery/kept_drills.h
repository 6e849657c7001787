// Drills that a repository keeps: their reports, sealed and signed.
//
// Threads  One thread; reports are read by threads of their own.
// Errors   kNotFound, with what there is; kUsage when several begin with these digits; kIntegrity
// for
//          a report that the repository's key has not signed.
// Source   docs/formats/drill_report.md, "In the repository"
#pragma once

#include <string>
#include <vector>

#include "recovery/drill_report.h"
#include "recovery/recovery.h"
#include "repo/signing.h"

namespace coppice::recovery {

// The oldest first. One request lists them; of those that a later report names only that is read.
// Damaged ones are told, and left out.
std::vector<PastDrill> kept_drills(const repo::Repository& repository, ResultSink& sink);

// Signs and keeps a report: fills in id, key and both forms.
void keep_drill(repo::Repository& repository, const DrillRecord& record, DrillReport& report);
// By the first digits of its id, or "latest".
KeptDrill kept_drill(repo::Repository& repository, const std::string& id, ResultSink& sink);

void list_drills(const RepositoryAddress& repository, ResultSink& sink);
CheckedDrill check_drill(const DrillCheck& check, ResultSink& sink);

}  // namespace coppice::recovery
