#include "workers/row_order.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "media/frame_name.h"

namespace coppice {
namespace {

using Place = std::pair<std::string, std::int64_t>;  // video, timestamp

// Of the first argument that is a frame; nullopt when none is.
std::optional<Place> place_of(const Batch& batch, std::size_t row) {
  for (const std::vector<Value>& column : batch.arguments) {
    const Value& value = column[row];
    if (value.type != ValueType::kImage) continue;
    if (const auto frame = FrameName::parse(value.text)) {
      return Place{frame->video.sha256_hex, frame->timestamp};
    }
  }
  return std::nullopt;
}

}  // namespace

void put_frames_in_order(const Batch& batch, std::vector<std::size_t>& rows) {
  std::vector<std::pair<std::optional<Place>, std::size_t>> placed;
  placed.reserve(rows.size());
  bool any = false;
  for (const std::size_t row : rows) {
    placed.emplace_back(place_of(batch, row), row);
    any = any || placed.back().first.has_value();
  }
  if (!any) return;
  std::stable_sort(placed.begin(), placed.end(),
                   [](const auto& one, const auto& other) { return one.first < other.first; });
  std::transform(placed.begin(), placed.end(), rows.begin(),
                 [](const auto& item) { return item.second; });
}

}  // namespace coppice
