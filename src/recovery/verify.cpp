#include "recovery/verify.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "backup/tree.h"
#include "base/error.h"
#include "engine/quiet_sinks.h"
#include "recovery/current_rows.h"
#include "recovery/open_repository.h"
#include "recovery/other_data.h"
#include "repo/check.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

class Verifier {
 public:
  Verifier(const VerifyRequest& request, ResultSink& sink)
      : request_(request), sink_(sink), open_(open_repository(request.repository, silent())) {}

  VerifyReport verify() {
    const auto begun = std::chrono::steady_clock::now();
    check_objects();
    if (request_.rows) check_rows();
    report_.affected.assign(affected_.begin(), affected_.end());
    report_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return std::move(report_);
  }

 private:
  // What cannot be read is in the report, once.
  ResultSink& silent() { return silent_; }

  void check_objects() {
    repo::CheckOptions options;
    if (request_.data) options.level = repo::CheckOptions::Level::kData;
    options.share = request_.share;
    options.part = request_.part;
    options.part_count = request_.part_count;
    options.progress = [&](std::uint64_t done, std::uint64_t all) {
      sink_.progress({"verifying packs (bytes)", done, all});
    };
    const repo::CheckReport checked = repo::check(*open_.repository, options);
    for (const repo::Damage& damage : checked.damages) {
      report_.findings.push_back({damage.object, damage.what});
    }
    for (const repo::CheckedManifest& manifest : checked.manifests) {
      if (manifest.affected) affected_.insert(manifest.id.hex());
    }
    report_.backups = checked.manifests.size();
    report_.packs = checked.packs;
    report_.blobs_read = checked.blobs_read;
    report_.bytes_read = checked.bytes_read;
  }

  void check_rows() {
    const std::vector<KnownBackup> backups = known_backups(*open_.repository, silent());
    if (request_.backup) return check_rows_of(backup_named(backups, *request_.backup));
    for (const KnownBackup& backup : backups) check_rows_of(backup);
  }

  void check_rows_of(const KnownBackup& backup) {
    try {
      if (is_other_data(backup.manifest)) return check_contents_of(backup);
      const Tree home = Tree::read(*open_.repository, backup.manifest.tree);
      home.checked([&] {
        for (const json& roots : home.member("roots")) check_table(backup, home, roots);
      });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      found(backup, fmt::format("the backup {}", short_backup_id(backup.id.hex())),
            error.message());
    }
  }

  // Of other people's data: that every file, and the dump, has the bytes of its digest.
  void check_contents_of(const KnownBackup& backup) {
    const OtherData data = read_other_data(*open_.repository, backup.manifest);
    if (data.root() != backup.manifest.root) {
      found(backup, fmt::format("the backup {}", short_backup_id(backup.id.hex())),
            "it has another root than its manifest says");
    }
    const auto check_content = [&](const std::string& name, const Content& content) {
      if (!checked_.emplace(to_hex(content.sha256)).second) return;
      try {
        read_content(*open_.repository, content, [](std::string_view) {});
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
        found(backup, fmt::format("{} of the backup {}", name, short_backup_id(backup.id.hex())),
              error.message());
      }
    };
    if (data.dump) check_content("dump", data.dump->content);
    for (const FileSource& source : data.sources) {
      check_entry("files" + source.path, source.entry, check_content);
    }
  }

  template <typename Check>
  void check_entry(const std::string& path, const FileEntry& entry, const Check& check_content) {
    if (entry.kind == FileKind::kFile) check_content(shown_path(path), entry.content);
    if (entry.kind != FileKind::kFolder) return;
    FolderDigest digest;
    for_each_entry(*open_.repository, entry.parts, [&](const FileEntry& one) {
      digest.add(one);
      check_entry(path + "/" + one.name, one, check_content);
    });
    if (digest.finish() == entry.digest) return;
    throw Error(ErrorCode::kIntegrity,
                fmt::format("{}: its entries are not those of its digest", shown_path(path)));
  }

  void check_table(const KnownBackup& backup, const Tree& home, const json& roots) {
    const auto id = roots.at("table_id").get<std::int64_t>();
    const auto name = roots.at("table").get<std::string>();
    const repo::BlobId tree = tree_of(home, id);
    // Backups share what did not change.
    const auto [known, is_new] = checked_.emplace(tree.hex() + roots.dump());
    (void)known;
    if (!is_new) return;
    try {
      compare(backup, name, read_table(*open_.repository, tree), roots);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      found(backup, fmt::format("{} of the backup {}", name, short_backup_id(backup.id.hex())),
            error.message());
    }
  }

  static repo::BlobId tree_of(const Tree& home, std::int64_t table_id) {
    for (const json& table : home.member("tables")) {
      if (table.at("table_id").get<std::int64_t>() == table_id) return home.tree(table.at("tree"));
    }
    throw Error(ErrorCode::kIntegrity, fmt::format("the table {} has no rows", table_id));
  }

  void compare(const KnownBackup& backup, const std::string& name, const TableRuns& table,
               const json& roots) {
    SumRequest request;
    request.key = roots.at("key").get<std::vector<std::string>>();
    for (const json& column : roots.at("columns")) {
      request.columns.push_back(column.at("physical").get<std::string>());
    }
    const std::vector<LatticeSum> sums = sum_rows_of(*open_.repository, table, request);
    report_.rows += static_cast<std::uint64_t>(sums.empty() ? 0 : sums[0].count());
    sink_.progress({"verifying rows", report_.rows, 0});
    constexpr const char* kWhat =
        "the rows are not those that its root was made of: somebody changed the store behind "
        "Coppice's back before this backup";
    const std::string where = fmt::format(" of the backup {}", short_backup_id(backup.id.hex()));
    if (request.key.empty()) {
      if (to_hex(sums[0].digest()) != roots.at("rows_sum").get<std::string>()) {
        found(backup, name + where, kWhat);
      }
      return;
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const json& column = roots.at("columns").at(i);
      if (to_hex(sums[i].digest()) == column.at("sum").get<std::string>()) continue;
      found(backup, name + "." + column.at("name").get<std::string>() + where, kWhat);
    }
  }

  void found(const KnownBackup& backup, const std::string& object, const std::string& what) {
    report_.findings.push_back({object, what});
    affected_.insert(backup.id.hex());
  }

  const VerifyRequest& request_;
  ResultSink& sink_;
  engine::SilentSink silent_;
  const OpenRepository open_;
  VerifyReport report_;
  std::set<std::string> affected_;
  std::set<std::string> checked_;
};

}  // namespace

VerifyReport verify_backups(const VerifyRequest& request, ResultSink& sink) {
  return Verifier(request, sink).verify();
}

}  // namespace coppice::recovery
