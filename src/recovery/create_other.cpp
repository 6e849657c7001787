#include "recovery/create_other.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "backup/field_hash.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/text.h"
#include "base/wall_time.h"
#include "config/version.h"
#include "recovery/open_repository.h"
#include "recovery/other_data.h"
#include "recovery/pin.h"
#include "recovery/take_dump.h"
#include "recovery/take_folder.h"
#include "repo/commit.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kMostTold = 1000;

// As a database says it: moments of all kinds of backups are sorted as texts.
std::string moment_text(std::int64_t time_us) {
  constexpr std::int64_t kSecondUs = 1'000'000;
  const auto seconds = static_cast<std::time_t>(time_us / kSecondUs);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:06}+00", fmt::gmtime(seconds), time_us % kSecondUs);
}

// As the user wrote it, made absolute; the link that it may be is followed when it is read.
std::string absolute_path(const std::string& name) {
  std::string path = fs::absolute(name).lexically_normal().string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::vector<std::string> paths_of(const OtherBackupRequest& request) {
  std::vector<std::string> paths;
  for (const std::string& name : request.files) {
    if (name.empty()) throw Error(ErrorCode::kUsage, "a folder to back up has no name");
    const std::string path = absolute_path(name);
    if (!fs::exists(path)) {
      throw Error(ErrorCode::kNotFound, fmt::format("{} is not there", path),
                  "name a folder or file that is");
    }
    refuse_each_other(request.repository, path, "folder");
    paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

class OtherBackupMaker {
 public:
  OtherBackupMaker(repo::Repository& repository, const OtherBackupRequest& request,
                   ResultSink& sink)
      : repository_(repository),
        request_(request),
        sink_(sink),
        paths_(paths_of(request)),
        excluded_(request.excluded),
        gear_(gear_table(repository.keys())),
        writer_(repository, writer_options(repository, request.full)),
        taker_(repository, writer_, gear_, excluded_, sink) {}

  OtherBackupReport make() {
    const auto begun = steady_clock::now();
    manifest_.kind = kOtherDataBackup;
    manifest_.moment = moment_text(wall_time_us());
    if (request_.database) data_.dump = describe_database(*request_.database);
    name_sources();
    find_parent();
    if (data_.dump) take_dump(*request_.database, *data_.dump, writer_, gear_, sink_);
    for (const std::string& path : paths_) take(path);
    data_.left_out = taker_.left_out();
    if (data_.left_out.size() > kMostTold) data_.left_out.resize(kMostTold);
    manifest_.damaged = taker_.damaged();
    manifest_.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
    return commit();
  }

 private:
  // Backups of the same sources on the same machine are one line of backups, apart from others.
  void name_sources() {
    manifest_.host = host_name();
    FieldHash hash("coppice sources 1");
    hash.text(manifest_.host).flag(data_.dump.has_value());
    std::vector<std::string> names;
    if (data_.dump) names.push_back(data_.dump->address);
    for (const std::string& path : paths_) names.push_back(shown_path(path));
    for (const std::string& name : names) hash.text(name);
    manifest_.home_id = to_hex(hash.finish()).substr(0, kIdDigits);
    manifest_.home = join(names, ", ");
  }

  void find_parent() {
    const std::vector<KnownBackup> backups =
        read_backups(repository_, repository_.listed_manifests(), sink_);
    for (const KnownBackup& backup : backups) {
      if (backup.manifest.home_id != manifest_.home_id) continue;
      manifest_.sequence = std::max(manifest_.sequence, backup.manifest.sequence + 1);
      if (!request_.full) parent_ = backup.id.hex();
      try {
        if (!request_.full) before_ = read_other_data(repository_, backup.manifest);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
        sink_.notice(fmt::format("the backup {} cannot be read, and every file is read again: {}",
                                 short_backup_id(backup.id.hex()), error.message()));
        before_ = {};
      }
    }
  }

  void take(const std::string& path) {
    const FileEntry* before = nullptr;
    for (const FileSource& source : before_.sources) {
      if (source.path == path) before = &source.entry;
    }
    FileSource source{path, taker_.take(fs::canonical(path).string(), before)};
    source.entry.name = fs::path(path).filename().string();
    data_.sources.push_back(std::move(source));
  }

  static repo::WriterOptions writer_options(repo::Repository& repository, bool full) {
    repo::WriterOptions options = repo::begin_backup(repository);
    if (!full) return options;
    repository.with_index([&](const repo::Index& index) {
      for (const repo::IndexPart& part : index.parts()) {
        for (const repo::IndexedPack& pack : part.packs()) options.marked.insert(pack.id);
      }
    });
    return options;
  }

  OtherBackupReport commit() {
    const TakenCounts& counts = taker_.counts();
    OtherBackupReport report;
    report.dump_bytes = data_.dump ? data_.dump->content.size_bytes : 0;
    manifest_.created_at = utc_text(wall_time_us());
    manifest_.program = std::string(program_version());
    manifest_.server_version = data_.dump ? data_.dump->server_version : 0;
    manifest_.tags = request_.tags;
    manifest_.root = manifest_.history_root = data_.root();
    manifest_.media_objects = counts.files;
    manifest_.media_bytes = counts.bytes;
    manifest_.bytes_total = counts.bytes + report.dump_bytes;
    manifest_.tree = write_other_data(data_, writer_);
    writer_.flush();
    manifest_.bytes_written = writer_.counts().stored_bytes;
    reach_crash_point("backup.before_commit");
    report.id = repo::commit(repository_, writer_, manifest_text(manifest_)).hex();
    reach_crash_point("backup.committed");
    report.root = manifest_.root;
    report.parent = parent_;
    report.files = counts.files;
    report.file_bytes = counts.bytes;
    report.files_read = counts.files_read;
    report.bytes_read = counts.bytes_read;
    report.bytes_written = manifest_.bytes_written;
    report.bytes_total = manifest_.bytes_total;
    report.damaged = manifest_.damaged;
    report.left_out = data_.left_out;
    report.seconds = manifest_.seconds;
    return report;
  }

  repo::Repository& repository_;
  const OtherBackupRequest& request_;
  ResultSink& sink_;
  const std::vector<std::string> paths_;
  const PathPatterns excluded_;
  const GearTable gear_;
  repo::BlobWriter writer_;
  FolderTaker taker_;
  std::string parent_;
  OtherData before_, data_;
  Manifest manifest_;
};

}  // namespace

OtherBackupReport back_up_other_data(const OtherBackupRequest& request, ResultSink& sink) {
  if (!request.database && request.files.empty()) {
    throw Error(ErrorCode::kUsage, "neither a database nor a folder was named",
                "give --pg-dump URL, --files FOLDER, or both");
  }
  const OpenRepository open = open_or_make_repository(request.repository, request.cache, sink);
  OtherBackupReport report = OtherBackupMaker(*open.repository, request, sink).make();
  report.requests = open.store->requests();
  return report;
}

}  // namespace coppice::recovery
