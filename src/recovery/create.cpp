// Making a backup.
#include "recovery/create.h"

#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <tuple>

#include "backup/row_sums.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "base/wall_time.h"
#include "catalog/schema.h"
#include "config/version.h"
#include "engine/open_home.h"
#include "engine/root.h"
#include "pg/row_stream.h"
#include "pg/transaction.h"
#include "recovery/catalog_rows.h"
#include "recovery/files.h"
#include "recovery/home_log.h"
#include "recovery/home_schema.h"
#include "recovery/kept_settings.h"
#include "recovery/measure.h"
#include "recovery/media_columns.h"
#include "recovery/media_intake.h"
#include "recovery/open_repository.h"
#include "recovery/pin.h"
#include "recovery/plain_schema.h"
#include "recovery/restored_files.h"
#include "recovery/table_rows.h"
#include "recovery/watch.h"
#include "repo/commit.h"

namespace coppice::recovery {
namespace {

using engine::EngineContext;
using nlohmann::json;
using std::chrono::steady_clock;

constexpr int kAttempts = 5;

// A name for the home that a restored copy does not share: the two go different ways.
std::string home_id(pg::Connection& connection) {
  connection.exec_params("INSERT INTO coppice.meta VALUES ('home_id', $1) ON CONFLICT DO NOTHING",
                         {to_hex(random_bytes(16))});
  return std::string(
      connection.exec("SELECT value FROM coppice.meta WHERE key = 'home_id'").text(0, 0));
}

// The latest backup of this home, or the one that it was made of.
const KnownBackup* find_parent(pg::Connection& connection, const std::string& home,
                               const std::vector<KnownBackup>& backups) {
  for (auto backup = backups.rbegin(); backup != backups.rend(); ++backup) {
    if (backup->manifest.home_id == home) return &*backup;
  }
  const pg::Result from =
      connection.exec("SELECT value FROM coppice.meta WHERE key = 'restored_from'");
  if (from.rows() == 0) return nullptr;
  for (const KnownBackup& backup : backups) {
    if (backup.id.hex() == from.text(0, 0)) return &backup;
  }
  return nullptr;
}

struct ParentTable {
  repo::BlobId tree;
  std::int64_t version = 0;
  std::vector<std::string> columns;
};

// What may be taken over from the backup before.
struct Parent {
  const KnownBackup* backup = nullptr;
  std::map<std::int64_t, ParentTable> tables;
  std::map<std::int64_t, std::pair<std::int64_t, std::string>> points;  // tree: version, time
  MediaTrees media;
  bool has_dropped_tables = false;
};

Parent read_parent(const repo::Repository& repository, const KnownBackup* backup) {
  Parent parent;
  parent.backup = backup;
  if (backup == nullptr) return parent;
  const Tree home = Tree::read(repository, backup->manifest.tree);
  home.checked([&] {
    for (const json& item : home.member("tables")) {
      parent.tables[item.at("table_id").get<std::int64_t>()] = {
          home.tree(item.at("tree")), item.at("version").get<std::int64_t>(),
          item.at("columns").get<std::vector<std::string>>()};
    }
    for (const json& item : home.member("media")) {
      parent.media[item.at("prefix").get<std::string>()] = home.tree(item.at("tree"));
    }
  });
  for (const BackupPoint& point : backup->manifest.points) {
    parent.points[point.tree] = {point.version, point.published_at};
  }
  return parent;
}

// A full backup relies on no pack that was there: so it is whole whatever they have lost, and blobs
// that earlier backups lack are there again.
repo::WriterOptions writer_options(repo::Repository& repository, const BackupRequest& request) {
  repo::WriterOptions options = repo::begin_backup(repository);
  if (!request.full) return options;
  repository.with_index([&](const repo::Index& index) {
    for (const repo::IndexPart& part : index.parts()) {
      for (const repo::IndexedPack& pack : part.packs()) options.marked.insert(pack.id);
    }
  });
  return options;
}

// One attempt: everything of one point.
class BackupMaker {
 public:
  // hold: no table is dropped or altered until it is done.
  BackupMaker(EngineContext& context, repo::Repository& repository, const BackupRequest& request,
              bool hold, ResultSink& sink)
      : context_(context),
        repository_(repository),
        request_(request),
        hold_(hold),
        sink_(sink),
        writer_(repository, writer_options(repository, request)),
        pin_(context.main,
             fmt::format("a backup by {} on {}", engine::current_author(), host_name())),
        reading_(context.main.open_another()) {
    canonical_session(reading_);
  }

  BackupReport make() {
    const auto begun = steady_clock::now();
    manifest_.home_id = home_id(context_.main);
    backups_ = read_backups(repository_, repository_.listed_manifests(), sink_);
    for (const KnownBackup& backup : backups_) {
      if (backup.manifest.home_id != manifest_.home_id) continue;
      manifest_.sequence = std::max(manifest_.sequence, backup.manifest.sequence + 1);
    }
    if (!request_.full) {
      take_parent(find_parent(context_.main, manifest_.home_id, backups_));
    }
    base_ = latest_of(backups_, manifest_.home_id, parent_.backup);
    measurer_.emplace(repository_, base_);
    media_.emplace(repository_, parent_.media);
    read_point();
    reach_crash_point("backup.point_read");
    intake_.emplace(context_.media, writer_, *media_);
    const repo::WriterCounts before_rows = writer_.counts(repo::BlobKind::kData);
    read_tables();
    measurer_->rows_written(before_rows, writer_.counts(repo::BlobKind::kData));
    write_catalog(reading_, CatalogPart::kApart, writer_, home_, catalog_names_);
    for (const std::string& name : catalog_names_) intake_->add(name);
    add_roots();
    finish_media();
    measurer_->media_written(writer_.counts(repo::BlobKind::kFile));
    reach_crash_point("backup.media_read");
    add_code(context_.config.home() / "functions", writer_, home_);
    add_config();
    manifest_.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
    return commit();
  }

 private:
  void take_parent(const KnownBackup* backup) {
    try {
      parent_ = read_parent(repository_, backup);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIntegrity && error.code() != ErrorCode::kNotFound) throw;
      throw Error(ErrorCode::kIntegrity,
                  fmt::format("the backup {}, from which this one would go on, cannot be read: {}",
                              short_backup_id(backup->id.hex()), error.message()),
                  "store everything anew: coppice backup create --full; and look at the "
                  "repository: coppice backup verify --data");
    }
  }

  // The catalog, the schema and the versions of all trees, in one snapshot.
  void read_point() {
    content_ = engine::read_content(context_, true, [&](const engine::HomeContent& content) {
      home_ = TreeBuilder();
      catalog_names_.clear();
      if (hold_) hold_tables(content);
      const std::string snapshot(context_.main.exec("SELECT pg_export_snapshot()").text(0, 0));
      pg::Transaction transaction(reading_, pg::TransactionMode::kReadOnlySnapshot);
      reading_.exec("SET TRANSACTION SNAPSHOT " + sql::quote_literal(snapshot));
      home_.members()["catalog"] = json::array();
      write_catalog(reading_, CatalogPart::kAtPoint, writer_, home_, catalog_names_);
      write_schema(context_, content, home_);
      write_plain_schema(context_, content, home_);
      transaction.commit();
    });
    pin_.take();
    for (const engine::TableContent& table : content_.tables) {
      engine::check_floor(context_, *table.table, table.table->floor_version);
    }
  }

  void hold_tables(const engine::HomeContent& content) {
    std::vector<std::string> stores;
    for (const engine::TableContent& table : content.tables) {
      stores.push_back(table.table->store_table());
    }
    held_.reset();
    if (!holding_) holding_.emplace(context_.main.open_another());
    held_.emplace(*holding_, pg::TransactionMode::kReadOnly);
    if (stores.empty()) return;
    holding_->exec(fmt::format("LOCK TABLE {} IN ACCESS SHARE MODE", join(stores, ", ")));
  }

  void read_tables() {
    media_columns_ = media_columns_of(context_.main);
    json tables = json::array();
    std::set<std::int64_t> there;
    for (const engine::TableContent& content : content_.tables) {
      const catalog::TableInfo& table = *content.table;
      there.insert(table.table_id);
      tables.push_back(read_table_of(content));
      measurer_->table(reading_, content);
      note_point(table, content.version);
    }
    for (const auto& [id, table] : parent_.tables) {
      if (!there.contains(id)) anew_ = true;  // what it named may be needed no more
    }
    home_.members()["tables"] = std::move(tables);
  }

  json read_table_of(const engine::TableContent& content) {
    const catalog::TableInfo& table = *content.table;
    const auto entry = [&](const repo::BlobId& tree) -> json {
      return {{"table_id", table.table_id},
              {"name", table.user_name()},
              {"tree", home_.add_tree(tree)},
              {"version", content.version.version},
              {"columns", content.physical_columns}};
    };
    const ParentTable* const before = parent_table(table);
    if (before != nullptr && before->version == content.version.version &&
        before->columns == content.physical_columns) {
      const TableRuns runs = read_table(repository_, before->tree);
      count(runs);
      return entry(before->tree);
    }
    std::optional<TableRuns> runs_before;
    if (before != nullptr) runs_before = read_table(repository_, before->tree);
    const catalog::VersionInfo floor =
        version_of(table, std::max(table.floor_version, first_version(table)));
    TableRequest request{&content, &floor, runs_before ? &*runs_before : nullptr, {}};
    if (const auto found = media_columns_.find(table.store); found != media_columns_.end()) {
      request.media_columns = found->second;
    }
    Progress progress{"backing up " + table.user_name(), 0, 0};
    const TableRead read = read_rows(
        reading_, request, writer_, [&](std::string_view name) { intake_->add(name); },
        [&](std::uint64_t rows) {
          context_.check_stop();
          pin_.renew_if_due();
          progress.done += rows;
          sink_.progress(progress);
        });
    engine::check_floor(context_, table, table.floor_version);
    rows_read_ += read.rows;
    anew_ = anew_ || (read.anew && parent_.tables.contains(table.table_id));
    count(read.runs);
    reach_crash_point("backup.table_read");
    return entry(write_table(read.runs, writer_));
  }

  catalog::VersionInfo version_of(const catalog::TableInfo& table, std::int64_t version) {
    return engine::version_still_there(context_, table, version);
  }

  static std::int64_t first_version(const catalog::TableInfo& table) {
    return table.view ? table.view->first_version : 0;
  }

  // A home that was copied as files has the id and the tables of another, and other rows.
  const ParentTable* parent_table(const catalog::TableInfo& table) {
    const auto found = parent_.tables.find(table.table_id);
    const auto point = parent_.points.find(table.tree_id);
    if (found == parent_.tables.end() || point == parent_.points.end()) return nullptr;
    const auto& [version, published_at] = point->second;
    if (version < table.floor_version || version > table.version) return nullptr;
    if (version_of(table, version).published_at != published_at) return nullptr;
    return &found->second;
  }

  void count(const TableRuns& runs) {
    manifest_.rows += runs.rows();
    for (const Run& run : runs.runs) manifest_.bytes_total += run.bytes;
  }

  void note_point(const catalog::TableInfo& table, const catalog::VersionInfo& version) {
    for (BackupPoint& point : manifest_.points) {
      if (point.tree != table.tree_id) continue;
      point.tables.push_back(table.user_name());
      return;
    }
    manifest_.points.push_back(
        {table.tree_id, version.version, version.published_at, {table.user_name()}});
  }

  void finish_media() {
    if (anew_) {
      ask_for_all_media();
    } else if (parent_.backup != nullptr) {
      // Perhaps they are there again. Where all names are asked for, so are those that are needed.
      for (const std::string& failure : parent_.backup->manifest.damaged) {
        for_each_media_name(failure, [&](std::string_view name) { intake_->add(name); });
      }
    }
    manifest_.damaged = intake_->finish(sink_, [&] {
      context_.check_stop();
      pin_.renew_if_due();
    });
    pin_.renew_if_due();
    if (anew_) {
      media_->keep_only(intake_->names());
      std::tie(manifest_.media_objects, manifest_.media_bytes) = media_->totals();
    } else {
      if (parent_.backup != nullptr) {
        manifest_.media_objects = parent_.backup->manifest.media_objects;
        manifest_.media_bytes = parent_.backup->manifest.media_bytes;
      }
      manifest_.media_objects += media_->added_objects();
      manifest_.media_bytes += media_->added_bytes();
    }
    json list = json::array();
    for (const auto& [prefix, tree] : media_->write(writer_)) {
      list.push_back({{"prefix", prefix}, {"tree", home_.add_tree(tree)}});
    }
    home_.members()["media"] = std::move(list);
    manifest_.bytes_total += manifest_.media_bytes;
  }

  // What rows that are gone named may be needed no more: all that the store names is asked for.
  void ask_for_all_media() {
    for (const auto& [store, columns] : media_columns_) {
      for (const std::string& column : columns) {
        pg::RowStream values(reading_,
                             fmt::format("SELECT DISTINCT {0}::text FROM coppice_store.{1} "
                                         "WHERE {0} IS NOT NULL",
                                         column, store));
        while (values.next()) {
          for_each_media_name(*values.row()[0], [&](std::string_view name) { intake_->add(name); });
        }
      }
    }
  }

  void add_config() {
    const std::string text = settings_without_secrets(context_.config);
    json config = config_digests(text, context_.config.home());
    config["size"] = text.size();
    config["blobs"] = home_.add_blobs({writer_.add(text)});
    home_.members()["config"] = std::move(config);
  }

  void add_roots() {
    const engine::HomeRoots roots = engine::roots_of(context_, content_, sink_);
    manifest_.root = roots.content;
    manifest_.history_root = roots.history;
    json tables = json::array();
    for (std::size_t i = 0; i < roots.tables.size(); ++i) {
      tables.push_back(roots_entry(*content_.tables[i].table, roots.tables[i]));
      measurer_->rows_now(*content_.tables[i].table,
                          static_cast<std::uint64_t>(roots.tables[i].current_rows));
    }
    home_.members()["roots"] = std::move(tables);
  }

  // What `verify` needs to make the sums again, and a restore to name what differs.
  static json roots_entry(const catalog::TableInfo& table, const RootReport::Table& roots) {
    json key = json::array();
    for (const catalog::ColumnInfo* column : engine::key_columns(table)) {
      key.push_back(column->physical);
    }
    json columns = json::array();
    const auto visible = table.visible_columns();
    for (std::size_t i = 0; i < visible.size(); ++i) {
      json column = {{"name", visible[i]->name}, {"physical", visible[i]->physical}};
      if (!roots.columns.empty()) {
        column["root"] = roots.columns[i].root;
        column["sum"] = roots.columns[i].sum;
      }
      columns.push_back(std::move(column));
    }
    return {{"table_id", table.table_id}, {"table", roots.name},
            {"root", roots.root},         {"key", key},
            {"columns", columns},         {"rows_sum", roots.rows_sum},
            {"rows", roots.current_rows}};
  }

  BackupReport commit() {
    manifest_.created_at = utc_text(wall_time_us());
    // The server's time, unless a test goes by another calendar.
    const std::optional<std::int64_t> of_test = test_wall_time_us();
    manifest_.moment = of_test ? utc_text(*of_test) : content_.moment;
    manifest_.program = std::string(program_version());
    manifest_.catalog_format = catalog::kCatalogFormat;
    manifest_.server_version = context_.main.server_version();
    manifest_.home = context_.config.home().string();
    manifest_.host = host_name();
    manifest_.tags = request_.tags;
    manifest_.tree = home_.write(writer_);
    writer_.flush();
    watch();
    manifest_.bytes_written = writer_.counts().stored_bytes;
    reach_crash_point("backup.before_commit");
    const repo::ObjectId id = repo::commit(repository_, writer_, manifest_text(manifest_));
    reach_crash_point("backup.committed");
    BackupReport report;
    report.id = id.hex();
    report.root = manifest_.root;
    report.bytes_written = manifest_.bytes_written;
    report.bytes_total = manifest_.bytes_total;
    report.rows_read = rows_read_;
    report.media_added = media_->added_objects();
    report.seconds = manifest_.seconds;
    report.damaged = manifest_.damaged;
    report.suspect = manifest_.suspect;
    if (parent_.backup != nullptr) report.parent = parent_.backup->id.hex();
    note(report);
    return report;
  }

  void watch() {
    manifest_.measures =
        measurer_->finish(manifest_.media_objects, media_->added_objects(), writer_.counts());
    const std::vector<Measures> past =
        past_measures(backups_, base_, read_confirmations(repository_, sink_));
    manifest_.suspect = suspicions(*manifest_.measures, past, watch_limits(context_.config));
  }

  // The backup is there all the same.
  void note(const BackupReport& report) {
    try {
      note_backup(context_.main, request_.repository, report, manifest_.moment);
    } catch (const Error& error) {
      sink_.notice(
          fmt::format("the backup is made, but the home could not note it: {}", error.message()));
    }
  }

  EngineContext& context_;
  repo::Repository& repository_;
  const BackupRequest& request_;
  const bool hold_;
  ResultSink& sink_;
  repo::BlobWriter writer_;
  Pin pin_;
  pg::Connection reading_;
  std::optional<pg::Connection> holding_;
  std::optional<pg::Transaction> held_;
  std::vector<KnownBackup> backups_;
  Parent parent_;
  const KnownBackup* base_ = nullptr;  // the measures are of what changed since
  std::optional<Measurer> measurer_;
  std::optional<MediaMap> media_;
  engine::HomeContent content_;
  std::map<std::string, std::set<std::string>> media_columns_;
  TreeBuilder home_;
  std::set<std::string> catalog_names_;  // of media objects that the catalog names
  Manifest manifest_;
  std::uint64_t rows_read_ = 0;
  bool anew_ = false;                  // some table was read anew, or is gone
  std::optional<MediaIntake> intake_;  // the last: it uses the others
};

}  // namespace

BackupReport create_backup(const Config& config, const BackupRequest& request, ResultSink& sink) {
  refuse_each_other(request.repository, config.home());
  const std::unique_ptr<EngineContext> context = engine::open_home(config);
  const OpenRepository open =
      open_or_make_repository(request.repository, config.home() / "cache" / "repositories", sink);
  for (int attempt = 1;; ++attempt) {
    try {
      const bool hold = attempt == kAttempts;
      BackupReport report = BackupMaker(*context, *open.repository, request, hold, sink).make();
      report.requests = open.store->requests();
      return report;
    } catch (const Error& error) {
      if (attempt == kAttempts || !engine::is_moved(error)) throw;
      context->forget_catalog();
    }
  }
}

}  // namespace coppice::recovery
