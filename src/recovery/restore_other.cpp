#include "recovery/restore_other.h"

#include <fmt/core.h>

#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "recovery/choose.h"
#include "recovery/open_repository.h"
#include "recovery/other_data.h"
#include "recovery/restore_dump.h"
#include "recovery/restore_files.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

double since(steady_clock::time_point begin) {
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

void check_has(bool has, const std::string& backup, const char* what, const char* option) {
  if (has) return;
  throw Error(ErrorCode::kUsage, fmt::format("the backup {} has no {}", backup, what),
              fmt::format("leave out {}, or name another backup: coppice backup list", option));
}

class OtherRestorer {
 public:
  OtherRestorer(const OtherRestoreRequest& request, ResultSink& sink)
      : request_(request),
        sink_(sink),
        chosen_(
            open_backup(request.repository, request.backup, request.at, sink, kOtherDataBackup)),
        data_(read_other_data(*chosen_.open.repository, chosen_.backup->manifest)) {
    const std::string id = short_backup_id(chosen_.backup->id.hex());
    if (request.folder) check_has(!data_.sources.empty(), id, "files", "--to-files");
    if (request.database) check_has(data_.dump.has_value(), id, "dump", "--to-database");
  }

  OtherRestoreReport restore() {
    const auto begun = steady_clock::now();
    const Manifest& manifest = chosen_.backup->manifest;
    report_.backup = chosen_.backup->id.hex();
    report_.moment = manifest.moment;
    report_.root_expected = manifest.root;
    report_.damaged = manifest.damaged;
    if (request_.folder) report_.file_bytes = manifest.media_bytes;
    if (request_.folder) report_.files = manifest.media_objects;
    if (request_.database) report_.dump_bytes = data_.dump->content.size_bytes;
    // Before either is begun.
    if (request_.database) check_place_of_dump(*request_.database);
    if (!request_.dry_run) {
      if (request_.folder) restore_files_to(*request_.folder);
      if (request_.database) restore_dump_to(*request_.database);
      report_.root_restored = data_.root();
      report_.equal = report_.differences.empty() && report_.root_restored == manifest.root;
    }
    report_.seconds = since(begun);
    report_.requests = chosen_.open.store->requests();
    return std::move(report_);
  }

 private:
  void restore_files_to(const fs::path& folder) {
    const auto begun = steady_clock::now();
    refuse_each_other(request_.repository, folder, "folder");
    FilesPlace place(folder, chosen_.backup->id.hex());
    const RestoredFiles restored = restore_files(*chosen_.open.repository, data_, place, sink_);
    report_.files = restored.files;
    report_.files_kept = restored.kept;
    for (FileSource& source : data_.sources) {
      if (!take_from_disk(folder, source)) report_.differences.push_back(shown_path(source.path));
    }
    if (report_.differences.empty()) place.finish();
    report_.files_seconds = since(begun);
  }

  void restore_dump_to(const std::string& database) {
    const auto begun = steady_clock::now();
    restore_dump(*chosen_.open.repository, *data_.dump, database, sink_);
    report_.dump_seconds = since(begun);
  }

  const OtherRestoreRequest& request_;
  ResultSink& sink_;
  const ChosenBackup chosen_;
  OtherData data_;
  OtherRestoreReport report_;
};

}  // namespace

OtherRestoreReport restore_other_data(const OtherRestoreRequest& request, ResultSink& sink) {
  if (!request.folder && !request.database) {
    throw Error(ErrorCode::kUsage, "nothing says where the data is to go",
                "give --to-files FOLDER, --to-database URL, or both");
  }
  return OtherRestorer(request, sink).restore();
}

}  // namespace coppice::recovery
