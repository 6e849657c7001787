// Looking into a backup: its files, by paths.
//
// Model    config.toml; functions/<digest>/<file>; media/<64 digits>.<ext>; tables/<name>.tsv: the
//          current rows with a line of names before them, in the text form of COPY;
//          catalog/<name>.tsv.
// Errors   kNotFound for a path that is not there.
#pragma once

#include <string>

#include "recovery/recovery.h"

namespace coppice::recovery {

void list_path(const RepositoryAddress& repository, const std::string& backup,
               const std::string& path, ResultSink& sink);
void write_path(const RepositoryAddress& repository, const std::string& backup,
                const std::string& path, int output_fd, ResultSink& sink);

}  // namespace coppice::recovery
