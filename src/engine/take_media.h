// Taking media in: file names, URLs and data of media columns become media names.
#pragma once

#include "engine/context.h"

namespace coppice::engine {

// For every staged row whose `column` holds something else than a media name. Relative names are
// relative to the working directory. Each object is checked by decoding, in a function worker.
void take_staged_media(EngineContext& context, const catalog::TableInfo& table,
                       const catalog::ColumnInfo& column, const std::string& stage_name,
                       ResultSink& sink);

}  // namespace coppice::engine
