#include "engine/frame_pool.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/error.h"
#include "media/frame_name.h"

namespace coppice::engine {
namespace {

bool reads(const Fragment& fragment, std::size_t argument) {
  if (fragment.is_argument()) return static_cast<std::size_t>(fragment.argument) == argument;
  return std::any_of(fragment.children.begin(), fragment.children.end(),
                     [&](const Fragment& child) { return reads(child, argument); });
}

struct Place {
  std::size_t argument = 0;
  std::size_t row = 0;
};

// Every frame of a batch once, and where it stands.
std::map<std::string, std::vector<Place>> find_frames(const Batch& batch) {
  std::map<std::string, std::vector<Place>> found;
  for (std::size_t argument = 0; argument < batch.arguments.size(); ++argument) {
    for (std::size_t row = 0; row < batch.row_count; ++row) {
      const Value& value = batch.arguments[argument][row];
      if (is_frame(value)) found[value.text].push_back({argument, row});
    }
  }
  return found;
}

// Those of a video together and as they are shown, so that decoding them is one pass.
void sort_by_place(std::vector<std::string>& frames) {
  const auto place = [](const std::string& text) {
    const FrameName name = *FrameName::parse(text);
    return std::make_tuple(name.video.sha256_hex, name.timestamp);
  };
  std::sort(frames.begin(), frames.end(), [&](const std::string& one, const std::string& other) {
    return place(one) < place(other);
  });
}

}  // namespace

bool is_frame(const Value& value) {
  return value.type == ValueType::kImage && FrameName::parse(value.text).has_value();
}

std::vector<Cell> store_frames(FunctionPool& builtin, const std::vector<std::string>& frames,
                               const std::stop_token& stop) {
  Fragment argument;
  argument.argument = 0;
  const Fragment store{-1, "store(image)", {argument}};
  Batch batch;
  batch.row_count = frames.size();
  batch.arguments.emplace_back();
  for (const std::string& frame : frames) {
    Value value;
    value.type = ValueType::kImage;
    value.text = frame;
    batch.arguments[0].push_back(std::move(value));
  }
  return builtin.evaluate({store}, batch, stop)[0];
}

std::string stored_frame(FunctionPool& builtin, const std::string& frame,
                         const std::stop_token& stop) {
  const Cell cell = store_frames(builtin, {frame}, stop)[0];
  if (const auto* failure = std::get_if<CellFailure>(&cell)) {
    throw Error(failure->type == "missing" ? ErrorCode::kNotFound : ErrorCode::kComputation,
                fmt::format("{}: {} ({})", frame, failure->message, failure->type));
  }
  return std::get<Value>(cell).text;
}

BatchResult FramePool::evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                                std::stop_token stop) {
  Unwatched nobody;
  return evaluate_watched(fragments, batch, nobody, std::move(stop));
}

BatchResult FramePool::evaluate_watched(const std::vector<Fragment>& fragments, const Batch& batch,
                                        CallWatcher& watcher, std::stop_token stop) {
  const std::map<std::string, std::vector<Place>> found = find_frames(batch);
  if (found.empty()) return behind_->evaluate_watched(fragments, batch, watcher, std::move(stop));
  std::vector<std::string> frames;
  for (const auto& [frame, places] : found) frames.push_back(frame);
  sort_by_place(frames);
  const std::vector<Cell> stored = store_frames(builtin_, frames, stop);
  Batch rows = batch;
  std::vector<std::pair<Place, CellFailure>> failures;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    for (const Place& place : found.at(frames[i])) {
      Value& value = rows.arguments[place.argument][place.row];
      if (const auto* failure = std::get_if<CellFailure>(&stored[i])) {
        value = Value{};
        failures.emplace_back(place, *failure);
      } else {
        value = std::get<Value>(stored[i]);
      }
    }
  }
  BatchResult results = behind_->evaluate_watched(fragments, rows, watcher, std::move(stop));
  for (const auto& [place, failure] : failures) {
    for (std::size_t i = 0; i < fragments.size(); ++i) {
      if (reads(fragments[i], place.argument)) results[i][place.row] = failure;
    }
  }
  return results;
}

}  // namespace coppice::engine
