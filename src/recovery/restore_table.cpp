#include "recovery/restore_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"
#include "catalog/error_translation.h"
#include "catalog/store_ddl.h"
#include "engine/create_table.h"
#include "engine/open_home.h"
#include "engine/schema_text.h"
#include "pg/copy.h"
#include "pg/transaction.h"
#include "recovery/backup_table.h"
#include "recovery/catalog_lines.h"
#include "recovery/choose.h"
#include "recovery/load_media.h"
#include "recovery/open_repository.h"
#include "sql/names.h"

namespace coppice::recovery {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using engine::EngineContext;
using engine::TableDraft;
using Fields = std::vector<std::string_view>;
using std::chrono::steady_clock;

constexpr std::uint64_t kRowsOfProgress = 65'536;

bool is_of_the_definition(const Error& error) {
  constexpr ErrorCode kOthers[] = {ErrorCode::kUnavailable, ErrorCode::kInterrupted,
                                   ErrorCode::kDiskFull,    ErrorCode::kIo,
                                   ErrorCode::kInternal,    ErrorCode::kCancelled};
  return std::find(std::begin(kOthers), std::end(kOthers), error.code()) == std::end(kOthers);
}

// What the cells of media columns name.
struct Named {
  std::set<std::string> objects;  // without "media:"
  std::set<std::string> urls;     // by their digests
};

class TableRestorer {
 public:
  TableRestorer(EngineContext& context, const repo::Repository& repository, const Tree& home,
                const TableRestoreRequest& request, ResultSink& sink)
      : context_(context),
        repository_(repository),
        home_(home),
        request_(request),
        sink_(sink),
        table_(table_in_backup(repository, home, request.table)),
        name_(sql::parse_qualified_name(request.as)) {
    if (name_.schema.empty()) name_.schema = "public";
  }

  void restore(const std::string& statement, TableRestoreReport& report) {
    report.table = table_.name.text();
    report.as = name_.text();
    report.from_version = table_.version.version;
    refuse_taken_name();
    const Named named = read_names(report);
    load(named, report);
    if (request_.dry_run) return;
    reach_crash_point("restore_table.media_there");
    write(statement, named, report);
    for (const std::string& column : report.plain_columns) {
      sink_.notice(fmt::format("{} is a plain column, with the values of the backup", column));
    }
  }

 private:
  void refuse_taken_name() {
    engine::check_schema(context_, name_.schema);
    const bool taken = context_.catalog.find_table(name_) != nullptr ||
                       context_.catalog.find_view(name_) != nullptr;
    if (!taken) return;
    throw Error(ErrorCode::kAlreadyExists, fmt::format("there is a {} already", name_.text()),
                "name another one with --as");
  }

  Named read_names(TableRestoreReport& report) {
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < table_.columns.size(); ++i) {
      if (table_.columns[i].is_media) columns.push_back(i);
    }
    Named named;
    if (columns.empty() && !request_.dry_run) return named;
    for_each_row(repository_, table_, columns, [&](std::string_view, const Fields& fields) {
      ++report.rows;
      for (const std::string_view field : fields) {
        for_each_media_name(field, [&](std::string_view name) { named.objects.emplace(name); });
        add_urls(field, named.urls);
      }
    });
    report.media_objects = named.objects.size();
    return named;
  }

  // Of a text, or of each element of an array.
  static void add_urls(std::string_view field, std::set<std::string>& urls) {
    for (std::size_t at = field.find("http"); at != std::string_view::npos;) {
      const std::size_t end =
          field.starts_with('{') ? field.find_first_of(",}\"", at) : field.size();
      urls.insert(to_hex(sha256(unescaped_field(field.substr(at, end - at)))));
      if (end >= field.size()) return;
      at = field.find("http", end);
    }
  }

  void load(const Named& named, TableRestoreReport& report) {
    BackupMedia media(repository_, home_);
    LoadRequest request;
    request.dry_run = request_.dry_run;
    const LoadedMedia loaded = load_media(repository_, media, context_.media, named.objects,
                                          request, sink_, [&] { context_.check_stop(); });
    report.media_added = loaded.added;
    report.media_bytes = loaded.bytes;
    report.damaged = loaded.lacking;
  }

  void write(const std::string& statement, const Named& named, TableRestoreReport& report) {
    TableDraft draft = draft_that_fits(report);
    try {
      write_as(draft, statement, named, report);
    } catch (const Error& error) {
      const bool is_older = table_.version.version != table_.last_version;
      if (error.code() != ErrorCode::kConstraint || !is_older) throw;
      // Constraints have no versions: these are of later.
      draft.constraints.clear();
      for (engine::ColumnDraft& column : draft.columns) column.info.not_null = false;
      sink_.notice(
          fmt::format("without constraints and NOT NULL, which that version does not meet: {}",
                      error.message()));
      write_as(draft, statement, named, report);
    }
  }

  void write_as(const TableDraft& draft, const std::string& statement, const Named& named,
                TableRestoreReport& report) {
    try {
      pg::EnclosingTransaction all(context_.main);
      const auto table = create(draft, statement);
      const catalog::Operation operation = context_.log.begin(*table, "restore", statement);
      context_.log.enter(operation);
      catalog::RowCounts counts;
      counts.inserted = copy_rows(*table);
      report.rows = static_cast<std::uint64_t>(counts.inserted);
      set_sequences(*table);
      write_comments(*table);
      write_media_facts(named);
      write_references(named, operation);
      counts.errors = write_cell_errors(*table, operation);
      reach_crash_point("restore_table.rows_written");
      report.version = context_.log.publish(operation, counts, false, false).version;
      if (!report.version) report.version = 0;  // no rows
      all.commit();
    } catch (...) {
      context_.forget_catalog();
      throw;
    }
  }

  // A computed column that this home cannot have becomes a plain one.
  TableDraft draft_that_fits(TableRestoreReport& report) {
    pg::EnclosingTransaction nothing(context_.main);  // is never committed
    TableDraft draft;
    draft.constraints = table_.constraints;
    for (const BackupColumn& column : table_.columns) draft.columns.push_back(column.draft);
    if (!rehearse(draft)) return draft;
    for (engine::ColumnDraft& column : draft.columns) {
      if (!column.info.computed()) continue;
      TableDraft alone;
      for (engine::ColumnDraft other : draft.columns) {
        if (other.info.name != column.info.name) other.info.expression.reset();
        alone.columns.push_back(std::move(other));
      }
      const std::optional<Error> error = rehearse(alone);
      if (!error) continue;
      column.info.expression.reset();
      report.plain_columns.push_back(column.info.name);
      sink_.notice(
          fmt::format("{} cannot be computed here: {}", column.info.name, error->message()));
    }
    return draft;
  }

  // Why such a table cannot be made.
  std::optional<Error> rehearse(const TableDraft& draft) {
    std::optional<Error> why;
    pg::Savepoint savepoint(context_.main, "coppice_rehearsal");
    try {
      create(draft, "");
    } catch (const Error& error) {
      if (!is_of_the_definition(error)) throw;
      why = error;
    }
    savepoint.rollback();
    context_.forget_catalog();
    return why;
  }

  catalog::TablePointer create(const TableDraft& draft, const std::string& statement) {
    return engine::create_table_from(context_, name_, draft, sql::SourceText{}, statement);
  }

  // Straight into the store: what is given is not computed.
  std::int64_t copy_rows(const TableInfo& table) {
    std::vector<std::string> columns = {"_row", "_to"};
    std::vector<std::size_t> all;
    for (const ColumnInfo* column : table.visible_columns()) {
      columns.push_back(column->physical);
      all.push_back(all.size());
    }
    const std::string to = std::to_string(catalog::marked_to(table, catalog::RowMark::kGiven));
    Progress progress{"restoring " + table.user_name(), 0, table_.runs.rows()};
    try {
      pg::CopyIn copy(context_.main, fmt::format("COPY {} ({}) FROM STDIN", table.store_table(),
                                                 join(columns, ", ")));
      std::string line;
      for_each_row(repository_, table_, all, [&](std::string_view row, const Fields& fields) {
        line.assign(row).append("\t").append(to);
        for (const std::string_view field : fields) line.append("\t").append(field);
        copy.write(line += '\n');
        if (++progress.done % kRowsOfProgress != 0) return;
        context_.check_stop();
        sink_.progress(progress);
      });
      const auto rows = static_cast<std::int64_t>(copy.finish());
      context_.main.exec(fmt::format(
          "SELECT setval('{0}_row_seq', max(_row)) FROM {0} HAVING max(_row) IS NOT NULL",
          table.store_table()));
      return rows;
    } catch (const pg::ServerError& error) {
      throw catalog::translate(error, table);
    }
  }

  void set_sequences(const TableInfo& table) {
    const std::vector<const ColumnInfo*> columns = table.visible_columns();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto& last = table_.columns[i].last_of_sequence;
      if (!last || !columns[i]->sequence) continue;
      context_.main.exec_params("SELECT setval($1::regclass, $2::bigint)",
                                {*columns[i]->sequence, std::to_string(*last)});
    }
  }

  void write_comments(const TableInfo& table) {
    if (table_.comment) {
      context_.main.exec(
          fmt::format("COMMENT ON VIEW {} IS {}", table.user_name(), *table_.comment));
    }
    for (const ColumnInfo* column : table.visible_columns()) {
      if (!column->comment) continue;
      context_.main.exec(engine::comment_text(
          fmt::format("COLUMN {}.{}", table.user_name(), sql::quote_identifier(column->name)),
          column->comment));
    }
  }

  void write_media_facts(const Named& named) {
    if (named.objects.empty()) return;
    for_each_catalog_row(
        repository_, home_, "media", {"name", "kind", "mime", "size_bytes", "facts"},
        [&](const Fields& row) {
          if (!named.objects.contains(std::string(row[0].substr(row[0].find(':') + 1)))) return;
          context_.main.exec_cached(
              "INSERT INTO coppice.media (name, kind, mime, size_bytes, facts) "
              "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
              {catalog_value(row[0]), catalog_value(row[1]), catalog_value(row[2]),
               catalog_value(row[3]), catalog_value(row[4])});
        });
  }

  // What the home knows of a URL stays; what it does not is known from the backup.
  void write_references(const Named& named, const catalog::Operation& operation) {
    if (named.urls.empty()) return;
    for_each_catalog_row(
        repository_, home_, "media_references",
        {"url_sha256", "url", "name", "kind", "mime", "size_bytes", "etag", "facts", "checked_at"},
        [&](const Fields& row) {
          if (!named.urls.contains(std::string(row[0]))) return;
          std::vector<pg::Parameter> values = {std::to_string(operation.tree_id),
                                               std::to_string(operation.op_id)};
          for (const std::string_view field : row) values.push_back(catalog_value(field));
          context_.main.exec_cached(
              "INSERT INTO coppice.media_references (tree_id, op_id, url_sha256, url, name, kind, "
              "mime, size_bytes, etag, facts, checked_at) "
              "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 WHERE NOT EXISTS "
              "(SELECT FROM coppice.media_references WHERE url_sha256 = $3 "
              "AND (tree_id, op_id) <> ($1, $2)) "
              "ON CONFLICT (url_sha256, tree_id, op_id) DO UPDATE SET name = excluded.name, "
              "kind = excluded.kind, mime = excluded.mime, size_bytes = excluded.size_bytes, "
              "etag = excluded.etag, facts = excluded.facts, checked_at = excluded.checked_at "
              "WHERE media_references.checked_at <= excluded.checked_at",
              values);
        });
  }

  // Why cells are NULL, of columns that are computed here, too.
  std::int64_t write_cell_errors(const TableInfo& table, const catalog::Operation& operation) {
    std::map<std::int64_t, const ColumnInfo*> columns;  // by the column of the backup
    const std::vector<const ColumnInfo*> visible = table.visible_columns();
    for (std::size_t i = 0; i < visible.size(); ++i) {
      if (visible[i]->computed()) columns[table_.columns[i].id] = visible[i];
    }
    std::int64_t count = 0;
    for_each_catalog_row(
        repository_, home_, "cell_errors",
        {"table_id", "column_id", "row_id", "type", "message", "happened_at"},
        [&](const Fields& row) {
          if (catalog_number(row[0]) != table_.table_id) return;
          const auto column = columns.find(catalog_number(row[1]));
          if (column == columns.end()) return;
          const pg::Result written = context_.main.exec_params(
              fmt::format("INSERT INTO coppice.cell_errors (table_id, column_id, op_id, row_id, "
                          "type, message, happened_at) SELECT $1, $2, $3, $4, $5, $6, $7 "
                          "WHERE EXISTS (SELECT FROM {} WHERE _row = $4 AND {} IS NULL) "
                          "ON CONFLICT (table_id, row_id, column_id, op_id) DO UPDATE SET "
                          "type = excluded.type, message = excluded.message RETURNING 1",
                          table.store_table(), column->second->physical),
              {std::to_string(table.table_id), std::to_string(column->second->id),
               std::to_string(operation.op_id), catalog_value(row[2]), catalog_value(row[3]),
               catalog_value(row[4]), catalog_value(row[5])});
          count += written.rows();
        });
    return count;
  }

  EngineContext& context_;
  const repo::Repository& repository_;
  const Tree& home_;
  const TableRestoreRequest& request_;
  ResultSink& sink_;
  const BackupTable table_;
  sql::QualifiedName name_;
};

}  // namespace

TableRestoreReport restore_table(const Config& config, const TableRestoreRequest& request,
                                 ResultSink& sink) {
  const auto begun = steady_clock::now();
  const ChosenBackup chosen = open_backup(request.repository, request.backup, request.at, sink);
  const OpenRepository& open = chosen.open;
  const KnownBackup& backup = *chosen.backup;
  const Tree home = Tree::read(*open.repository, backup.manifest.tree);
  const std::unique_ptr<EngineContext> context = engine::open_home(config);
  context->refresh_functions();
  TableRestoreReport report;
  report.backup = backup.id.hex();
  report.moment = backup.manifest.moment;
  const std::string statement =
      fmt::format("coppice restore --table {} --as {} --backup {}", shell_quoted(request.table),
                  shell_quoted(request.as), short_backup_id(report.backup));
  TableRestorer(*context, *open.repository, home, request, sink).restore(statement, report);
  report.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
  return report;
}

}  // namespace coppice::recovery
