// Committing a backup: its manifest is written when all that it reaches is there, and will stay.
//
// Model    What a writer relied on may have been marked for removal since it began. commit() writes
//          it again, and looks once more when the manifest is there.
// Threads  One thread.
// Errors   kConflict when a collection has removed what the backup needs: the manifest is gone
//          again, and the backup is to be made anew. Those of the repository.
// Source   docs/formats/repository.md, "Writing", rules 1 to 3
#pragma once

#include <string_view>

#include "repo/blob_writer.h"

namespace coppice::repo {

// A writer for a backup that begins now. Marks must have been read before the index: it is loaded
// again when it was not a moment ago.
WriterOptions begin_backup(Repository& repository, WriterOptions options = {});

// `manifest` is JSON, with `trees`.
ObjectId commit(Repository& repository, BlobWriter& writer, std::string_view manifest);
// The same of one that another repository with these keys has: `sealed` is its object.
ObjectId commit_sealed(Repository& repository, BlobWriter& writer, std::string_view manifest,
                       std::string_view sealed);

}  // namespace coppice::repo
