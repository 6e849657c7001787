// Taking media in: file names, URLs and data of media columns become media names; URLs of columns
// that keep them stay, and what they give is recorded (engine/references.h).
#pragma once

#include "engine/context.h"

namespace coppice::engine {

struct StagedMedia {
  const catalog::Operation& operation;
  const catalog::TableInfo& table;
  const catalog::ColumnInfo& column;
  const std::string& stage_name;
  bool skip_bad = false;  // leave out rows whose file cannot be taken, each with a notice
};

// For every staged row whose column holds something else than a media name. Relative names are
// relative to the working directory. Each object is checked by decoding, in a function worker;
// servers are always asked for what a URL gives now. With media.validate = 'read' nothing is
// checked, and a URL that is kept is not fetched.
void take_staged_media(EngineContext& context, const StagedMedia& staged, ResultSink& sink);

}  // namespace coppice::engine
