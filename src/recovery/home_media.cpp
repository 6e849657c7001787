#include "recovery/home_media.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/crash_point.h"
#include "base/error.h"
#include "media/named_writer.h"
#include "recovery/files.h"
#include "repo/blob_ranges.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

using repo::BlobId;
using repo::BlobRange;

constexpr std::chrono::milliseconds kWait{100};

MediaName object_named(const std::string& text) {
  if (const std::optional<MediaName> name = MediaName::parse("media:" + text)) return *name;
  throw Error(ErrorCode::kIntegrity, fmt::format("the backup has an object of the name {}", text));
}

bool may_be_elsewhere(const Error& error) {
  return error.code() == ErrorCode::kIntegrity || error.code() == ErrorCode::kNotFound;
}

}  // namespace

HomeMedia::HomeMedia(const repo::Repository& repository, const Tree& home, MediaStore& store,
                     bool goes_on)
    : repository_(repository), store_(store), goes_on_(goes_on) {
  home.checked([&] {
    for (const nlohmann::json& item : home.member("media")) {
      trees_.push_back(home.tree(item.at("tree")));
    }
  });
  work_ = std::async(std::launch::async, [this] { load_all(); });
}

HomeMedia::~HomeMedia() {
  stop_ = true;
  if (work_.valid()) work_.wait();
}

std::uint64_t HomeMedia::finish(std::uint64_t expected, ResultSink& sink,
                                const std::function<void()>& on_wait) {
  Progress progress{"restoring media", 0, expected};
  while (work_.wait_for(kWait) != std::future_status::ready) {
    on_wait();
    progress.done = done_;
    sink.progress(progress);
  }
  work_.get();
  progress.done = done_;
  sink.progress(progress);
  // One call for all of them: to sync each takes longer than to write it.
  sync_file_system(store_.folder());
  return done_;
}

void HomeMedia::check_stop() const {
  if (stop_) throw Error(ErrorCode::kCancelled, "restoring media was stopped");
}

void HomeMedia::load_all() {
  repo::for_each_parallel(
      trees_.size(), {}, [](std::size_t) { return repo::kRangeBytes; },
      [&](std::size_t i) { load_part(trees_[i]); });
}

void HomeMedia::load_part(const BlobId& tree) {
  std::vector<Wanted> small, large;
  std::uint64_t count = 0;
  for (auto& [text, object] : read_media_tree(repository_, tree)) {
    ++count;
    Wanted wanted{object_named(text), std::move(object)};
    check_stop();
    if (is_there(wanted.name)) continue;
    (wanted.object.blobs.size() == 1 ? small : large).push_back(std::move(wanted));
  }
  load_small(small);
  for (const Wanted& wanted : large) {
    check_stop();
    load_large(wanted);
  }
  done_ += count;
  reach_crash_point("restore.media_part");
}

// Objects of one blob: many of them lie next to each other.
void HomeMedia::load_small(const std::vector<Wanted>& wanted) {
  std::vector<BlobId> ids;
  ids.reserve(wanted.size());
  for (const Wanted& one : wanted) ids.push_back(one.object.blobs[0]);
  std::vector<bool> written(wanted.size());
  for (const BlobRange& range : repo::ranges_of(repository_, ids)) {
    check_stop();
    try {
      repo::read_range(repository_, range, [&](std::size_t i, std::string_view bytes) {
        NamedMediaWriter writer(store_, wanted[i].name, bytes.size());
        writer.append(bytes);
        written[i] = writer.finish();
      });
    } catch (const Error& error) {
      if (!may_be_elsewhere(error)) throw;
    }
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!written[i]) load_proven(wanted[i]);
  }
}

void HomeMedia::load_large(const Wanted& wanted) {
  try {
    NamedMediaWriter writer(store_, wanted.name, wanted.object.size_bytes);
    for (const BlobId& blob : wanted.object.blobs) {
      for (const BlobRange& range : repo::ranges_of(repository_, {blob})) {
        repo::read_range(repository_, range,
                         [&](std::size_t, std::string_view bytes) { writer.append(bytes); });
      }
      check_stop();
    }
    if (writer.finish()) return;
  } catch (const Error& error) {
    if (!may_be_elsewhere(error)) throw;
  }
  load_proven(wanted);
}

// Each blob is looked at, and read from another pack when it is damaged.
void HomeMedia::load_proven(const Wanted& wanted) {
  NamedMediaWriter writer(store_, wanted.name, wanted.object.size_bytes);
  read_blobs(repository_, wanted.object.blobs,
             [&](std::string_view bytes) { writer.append(bytes); });
  if (writer.finish()) return;
  throw Error(ErrorCode::kIntegrity,
              fmt::format("the backup has other bytes for {}", wanted.name.text()));
}

// What an interrupted restore has left was perhaps never synced: its bytes may be anything.
bool HomeMedia::is_there(const MediaName& name) const {
  if (!goes_on_ || !store_.contains(name)) return false;
  if (to_hex(sha256_file(store_.path_of(name))) == name.sha256_hex) return true;
  store_.remove(name);
  return false;
}

}  // namespace coppice::recovery
