#include "recovery/media_intake.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "recovery/files.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

constexpr std::chrono::milliseconds kWait{100};
// The threads wait for each other after so many.
constexpr std::size_t kStepObjects = 8192;
// One of this size is begun early, so that no thread is left alone with it at the end.
constexpr std::uint64_t kLargeBytes = std::uint64_t{8} << 20;

MediaName object_named(const std::string& name) {
  const std::optional<MediaName> object = MediaName::parse("media:" + name);
  COPPICE_ASSERT(object.has_value());  // for_each_media_name() found it
  return *object;
}

}  // namespace

MediaIntake::MediaIntake(const MediaStore& store, repo::BlobWriter& writer, MediaMap& map)
    : store_(store), writer_(writer), map_(map) {
  work_ = std::async(std::launch::async, [this] { run(); });
}

MediaIntake::~MediaIntake() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (work_.valid()) work_.wait();
}

void MediaIntake::add(std::string_view name) {
  const auto [place, is_new] = names_.emplace(name);
  if (!is_new) return;
  const std::lock_guard lock(mutex_);
  waiting_.insert(*place);
  changed_.notify_all();
}

std::vector<std::string> MediaIntake::finish(ResultSink& sink,
                                             const std::function<void()>& on_wait) {
  {
    const std::lock_guard lock(mutex_);
    complete_ = true;
  }
  changed_.notify_all();
  Progress progress{"backing up media", 0, names_.size()};
  while (work_.wait_for(kWait) != std::future_status::ready) {
    on_wait();
    {
      const std::lock_guard lock(mutex_);
      progress.done = done_;
    }
    sink.progress(progress);
  }
  work_.get();
  return std::move(failures_);
}

void MediaIntake::run() {
  for (;;) {
    const std::set<std::string> names = next_names();
    if (names.empty()) return;
    map_.read_parts_of(names);
    std::vector<Taken> step;
    for (const std::string& name : names) {
      if (!map_.has(name)) step.push_back({name, {}, {}});
    }
    large_first(step);
    repo::for_each_parallel(
        step.size(), {}, [](std::size_t) { return kFileBlobBytes; },
        [&](std::size_t i) { take(step[i]); });
    for (Taken& one : step) {
      if (one.failure.empty()) {
        map_.add(one.name, std::move(one.object));
      } else {
        failures_.push_back(std::move(one.failure));
      }
    }
    const std::lock_guard lock(mutex_);
    done_ += names.size();
  }
}

// Waits for some; none: there are no more.
std::set<std::string> MediaIntake::next_names() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !waiting_.empty() || complete_ || stop_; });
  if (stop_) return {};
  std::set<std::string> names;
  while (!waiting_.empty() && names.size() < kStepObjects) {
    names.insert(waiting_.extract(waiting_.begin()));
  }
  return names;
}

void MediaIntake::large_first(std::vector<Taken>& step) const {
  std::stable_partition(step.begin(), step.end(), [&](const Taken& one) {
    std::error_code error;
    const std::uintmax_t size =
        std::filesystem::file_size(store_.path_of(object_named(one.name)), error);
    return !error && size >= kLargeBytes;
  });
}

void MediaIntake::take(Taken& taken) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_) throw Error(ErrorCode::kCancelled, "backing up media was stopped");
  }
  const MediaName object = object_named(taken.name);
  try {
    FileBlobs file = add_file(store_.path_of(object), writer_);
    if (file.sha256_hex == object.sha256_hex) {
      taken.object = {file.size_bytes, std::move(file.blobs)};
    } else {
      taken.failure = fmt::format("media:{}: its bytes are not those of its name", taken.name);
    }
  } catch (const UnreadableFile& error) {
    taken.failure = fmt::format("media:{}: {}", taken.name, error.message());
  }
}

}  // namespace coppice::recovery
