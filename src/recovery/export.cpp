#include "recovery/export.h"

#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "backup/media_map.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "recovery/choose.h"
#include "recovery/export_sql.h"
#include "recovery/files.h"
#include "recovery/open_repository.h"
#include "recovery/output_folder.h"
#include "recovery/tar_writer.h"
#include "recovery/time_text.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

// Objects that are read at once have no more bytes together.
constexpr std::uint64_t kBytesOfStep = 64 << 20;
constexpr std::size_t kObjectsOfStep = 256;

class MediaExport {
 public:
  MediaExport(const repo::Repository& repository, const Manifest& manifest, OutputFile& file,
              ExportReport& report, ResultSink& sink)
      : repository_(repository),
        file_(file),
        tar_(time_in(manifest.moment) / 1'000'000,
             [this](std::string_view bytes) { file_.write(bytes); }),
        report_(report),
        sink_(sink),
        progress_{"exporting media", 0, manifest.media_objects} {}

  void write(const Tree& home) {
    home.checked([&] {
      for (const json& part : home.member("media")) {
        for (const auto& [name, object] :
             read_media_tree(repository_, home.tree(part.at("tree")))) {
          add(name, object);
        }
      }
    });
    end_step();
    tar_.finish();
  }

 private:
  struct Waiting {
    std::string name;
    MediaObject object;
    std::string bytes, failure;
  };

  void add(const std::string& name, const MediaObject& object) {
    const std::optional<MediaName> media = MediaName::parse("media:" + name);
    if (!media) {
      throw Error(ErrorCode::kIntegrity, fmt::format("the backup has an object named {}", name));
    }
    if (object.size_bytes > kFileBlobBytes) {
      end_step();
      return add_large(*media, object);
    }
    waiting_.push_back({name, object, {}, {}});
    step_bytes_ += object.size_bytes;
    if (step_bytes_ >= kBytesOfStep || waiting_.size() >= kObjectsOfStep) end_step();
  }

  void end_step() {
    repo::for_each_parallel(
        waiting_.size(), {}, [&](std::size_t i) { return waiting_[i].object.size_bytes; },
        [&](std::size_t i) { read(waiting_[i]); });
    for (const Waiting& one : waiting_) {
      if (!one.failure.empty()) {
        lacks(one.name, one.failure);
        continue;
      }
      tar_.begin_file(path_of(one.name), one.bytes.size());
      tar_.append(one.bytes);
      tar_.end_file();
      count(one.object);
    }
    waiting_.clear();
    step_bytes_ = 0;
    sink_.progress(progress_);
  }

  void read(Waiting& one) const {
    try {
      read_object(one.name, one.object, [&](std::string_view bytes) { one.bytes += bytes; });
    } catch (const Error& error) {
      if (!is_of_the_object(error)) throw;
      one.failure = error.message();
    }
  }

  void add_large(const MediaName& name, const MediaObject& object) {
    const std::string file = name.sha256_hex + "." + name.extension;
    tar_.begin_file(path_of(file), object.size_bytes);
    try {
      read_object(file, object, [&](std::string_view bytes) { tar_.append(bytes); });
    } catch (const Error& error) {
      if (!is_of_the_object(error)) throw;
      file_.cut_to(tar_.drop_file());
      return lacks(file, error.message());
    }
    tar_.end_file();
    count(object);
    sink_.progress(progress_);
  }

  // Nothing of an object that has other bytes, or more, goes on as if it were whole.
  template <typename Take>
  void read_object(const std::string& name, const MediaObject& object, const Take& take) const {
    Sha256 digest;
    std::uint64_t size_bytes = 0;
    const auto differs = [&] {
      return Error(ErrorCode::kIntegrity, "the backup has other bytes for it");
    };
    read_blobs(repository_, object.blobs, [&](std::string_view bytes) {
      size_bytes += bytes.size();
      if (size_bytes > object.size_bytes) throw differs();
      digest.update(bytes);
      take(bytes);
    });
    if (size_bytes != object.size_bytes || !name.starts_with(to_hex(digest.finish()))) {
      throw differs();
    }
  }

  static bool is_of_the_object(const Error& error) {
    return error.code() == ErrorCode::kIntegrity || error.code() == ErrorCode::kNotFound;
  }

  static std::string path_of(const std::string& name) {
    return fmt::format("media/sha256/{}/{}", name.substr(0, 2), name);
  }

  void lacks(const std::string& name, const std::string& why) {
    report_.damaged.push_back(fmt::format("media:{}: {}", name, why));
    ++progress_.done;
  }

  void count(const MediaObject& object) {
    ++report_.media_objects;
    report_.media_bytes += object.size_bytes;
    ++progress_.done;
  }

  const repo::Repository& repository_;
  OutputFile& file_;
  TarWriter tar_;
  ExportReport& report_;
  ResultSink& sink_;
  Progress progress_;
  std::vector<Waiting> waiting_;
  std::uint64_t step_bytes_ = 0;
};

}  // namespace

ExportReport export_backup(const ExportRequest& request, ResultSink& sink) {
  const auto begun = steady_clock::now();
  const OpenRepository open = open_repository(request.repository, sink);
  const std::vector<KnownBackup> backups = known_backups(*open.repository, sink);
  const KnownBackup& backup = chosen_backup(backups, request.backup, std::nullopt);
  const Tree home = Tree::read(*open.repository, backup.manifest.tree);
  OutputFolder folder(request.folder);
  ExportReport report;
  report.backup = backup.id.hex();
  report.moment = backup.manifest.moment;
  report.damaged = backup.manifest.damaged;
  OutputFile sql(folder.part() / "backup.sql");
  export_sql(*open.repository, backup, home, request.history, sql, report, sink);
  sql.finish();
  reach_crash_point("export.sql_written");
  OutputFile media(folder.part() / "media.tar");
  MediaExport(*open.repository, backup.manifest, media, report, sink).write(home);
  media.finish();
  reach_crash_point("export.before_rename");
  folder.publish();
  report.bytes = sql.size_bytes() + media.size_bytes();
  report.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
  return report;
}

}  // namespace coppice::recovery
