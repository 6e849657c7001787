// Taking media in: file names, URLs and data of media columns become media names.
#pragma once

#include "engine/context.h"

namespace coppice::engine {

// For every staged row whose `column` holds something else than a media name. Relative names are
// relative to the working directory. Each object is checked by decoding, in a function worker.
// With skip_bad, rows whose file cannot be taken are left out, each with a notice.
void take_staged_media(EngineContext& context, const catalog::TableInfo& table,
                       const catalog::ColumnInfo& column, const std::string& stage_name,
                       bool skip_bad, ResultSink& sink);

}  // namespace coppice::engine
