// The order in which the rows of a batch are best evaluated.
//
// Model    Rows keep their order, but for those whose images are frames of videos that are not
//          stored (media/frame_name.h): these come video by video as they are shown, so that a
//          worker decodes a run of them in one pass, whatever order the query has.
#pragma once

#include <cstddef>
#include <vector>

#include "workers/value.h"

namespace coppice {

// `rows` are indices into the batch.
void put_frames_in_order(const Batch& batch, std::vector<std::size_t>& rows);

}  // namespace coppice
