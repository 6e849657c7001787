// The roots of the home that was backed up, as a backup says.
#pragma once

#include "engine/engine.h"
#include "recovery/recovery.h"

namespace coppice::recovery {

RootReport backup_roots(const RepositoryAddress& repository, const std::string& backup,
                        const RootRequest& request, ResultSink& sink);

}  // namespace coppice::recovery
