#include "recovery/rescue.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/text.h"
#include "catalog/expressions.h"
#include "engine/migrations.h"
#include "engine/named_table.h"
#include "engine/open_home.h"
#include "engine/quiet_sinks.h"
#include "engine/run_sql.h"
#include "pg/copy.h"
#include "pg/transaction.h"
#include "recovery/backup_table.h"
#include "recovery/choose.h"
#include "recovery/load_media.h"
#include "recovery/open_repository.h"
#include "recovery/rescue_columns.h"
#include "sql/parse.h"

namespace coppice::recovery {
namespace {

using catalog::ColumnInfo;
using catalog::TableInfo;
using engine::EngineContext;
using Fields = std::vector<std::string_view>;
using std::chrono::steady_clock;

constexpr std::size_t kMostBytes = std::size_t{256} << 20;
constexpr std::uint64_t kRowsOfProgress = 65'536;
constexpr const char* kRows = "pg_temp.coppice_rescue";

std::string quoted(const std::string& name) { return sql::quote_identifier(name); }

// "a, b", each in a form: "r.{}".
std::string each(const std::vector<std::string>& names, const char* form, const char* between) {
  std::vector<std::string> parts;
  for (const std::string& name : names)
    parts.push_back(fmt::format(fmt::runtime(form), quoted(name)));
  return join(parts, between);
}

// Publishes are what counts here.
class VersionSink final : public engine::SilentSink {
 public:
  explicit VersionSink(ResultSink& sink) : sink_(sink) {}
  void done(std::string_view, std::optional<std::int64_t> version) override { version_ = version; }
  void notice(std::string_view text) override { sink_.notice(text); }
  void progress(const Progress& progress) override { sink_.progress(progress); }
  std::optional<std::int64_t> version() const { return version_; }

 private:
  ResultSink& sink_;
  std::optional<std::int64_t> version_;
};

class Rescuer {
 public:
  Rescuer(EngineContext& context, const repo::Repository& repository, const Tree& home,
          const RescueRequest& request, RescueReport& report, ResultSink& sink)
      : context_(context),
        repository_(repository),
        home_(home),
        request_(request),
        report_(report),
        sink_(sink),
        condition_(sql::parse_expression(request.where)),
        then_(table_in_backup(repository, home, request.table)),
        table_(engine::table_named(context, request.into)),
        columns_(*table_, then_, request, condition_) {
    report.table = then_.name.text();
    report.into = table_->name.text();
    report.from_version = then_.version.version;
  }

  void run() {
    load_rows();
    find_differences();
    const std::set<std::string> names = media_names();
    load_objects(names);
    if (request_.dry_run || report_.changed + report_.missing == 0) return;
    reach_crash_point("rescue.media_there");
    write();
  }

 private:
  // All rows of the backup's table, as far as they are asked about.
  void load_rows() {
    std::vector<std::string> columns;
    std::vector<std::size_t> positions;
    for (const std::string& name : columns_.loaded()) {
      const BackupColumn& column = columns_.then(name);
      columns.push_back(quoted(name) + " " + catalog::store_type(column.draft.info.type));
      positions.push_back(static_cast<std::size_t>(&column - then_.columns.data()));
    }
    context_.main.exec(fmt::format("CREATE TEMP TABLE coppice_rescue ({})", join(columns, ", ")));
    pg::CopyIn copy(context_.main, fmt::format("COPY {} ({}) FROM STDIN", kRows,
                                               each(columns_.loaded(), "{}", ", ")));
    Progress progress{"reading " + then_.name.text(), 0, then_.runs.rows()};
    std::string line;
    for_each_row(repository_, then_, positions, [&](std::string_view, const Fields& fields) {
      line.clear();
      for (const std::string_view field : fields) line.append(field).append("\t");
      line.back() = '\n';
      copy.write(line);
      if (++progress.done % kRowsOfProgress != 0) return;
      context_.check_stop();
      sink_.progress(progress);
    });
    copy.finish();
  }

  // The condition is looked at as any query is, by the role that may only read.
  void find_differences() {
    pg::Connection& main = context_.main;
    main.exec(
        fmt::format("CREATE TEMP TABLE coppice_found AS SELECT false AS is_missing, {} "
                    "FROM {} LIMIT 0",
                    each(columns_.loaded(), "{}", ", "), kRows));
    keep_matching();
    const std::string same_key = each(columns_.key(), "r.{0} = t.{0}", " AND ");
    const std::string view = table_->user_name();
    main.exec(
        fmt::format("UPDATE pg_temp.coppice_found r SET is_missing = true WHERE NOT EXISTS "
                    "(SELECT FROM {} t WHERE {})",
                    view, same_key));
    if (columns_.wanted().empty()) {
      main.exec("DELETE FROM pg_temp.coppice_found WHERE NOT is_missing");
    } else {
      main.exec(fmt::format(
          "DELETE FROM pg_temp.coppice_found r USING {} t WHERE {} AND NOT ({})", view, same_key,
          each(columns_.wanted(), "r.{0}::text IS DISTINCT FROM t.{0}::text", " OR ")));
    }
    const pg::Result counts = main.exec(
        "SELECT count(*) FILTER (WHERE is_missing), count(*) FILTER (WHERE NOT is_missing) "
        "FROM pg_temp.coppice_found");
    report_.missing = static_cast<std::uint64_t>(counts.integer(0, 0));
    report_.changed = static_cast<std::uint64_t>(counts.integer(0, 1));
    if (request_.dry_run) tell_differences(view, same_key);
    if (request_.columns.empty()) {
      report_.inserted = report_.missing;
    } else {
      main.exec("DELETE FROM pg_temp.coppice_found WHERE is_missing");
    }
  }

  void keep_matching() {
    pg::Connection& main = context_.main;
    const bool has_reader = engine::reader_role_exists(main);
    if (has_reader) {
      main.exec(
          fmt::format("GRANT SELECT ON {} TO {}; "
                      "GRANT INSERT ON pg_temp.coppice_found TO {}",
                      kRows, engine::kReaderRole, engine::kReaderRole));
    }
    pg::Transaction transaction(main, pg::TransactionMode::kReadOnly);
    if (has_reader) main.exec(fmt::format("SET LOCAL ROLE {}", engine::kReaderRole));
    const pg::Result kept = main.exec(fmt::format(
        "INSERT INTO pg_temp.coppice_found SELECT false, {0} FROM {1} AS {2} WHERE ({3}\n)",
        each(columns_.loaded(), "{}", ", "), kRows, quoted(then_.name.name), condition_.text()));
    transaction.commit();
    report_.matched = kept.affected_rows();
  }

  void tell_differences(const std::string& view, const std::string& same_key) {
    std::vector<std::string> parts;
    for (const std::string& name : columns_.key()) {
      parts.push_back(
          fmt::format("{} || r.{}::text", sql::quote_literal(name + " = "), quoted(name)));
    }
    const std::string row = fmt::format("concat_ws(', ', {})", join(parts, ", "));
    std::vector<std::string> queries = {fmt::format(
        "SELECT {}, '', NULL, NULL FROM pg_temp.coppice_found r WHERE is_missing", row)};
    for (const std::string& name : columns_.wanted()) {
      queries.push_back(fmt::format(
          "SELECT {0}, {1}, t.{2}::text, r.{2}::text FROM pg_temp.coppice_found r JOIN {3} t ON "
          "{4} WHERE r.{2}::text IS DISTINCT FROM t.{2}::text",
          row, sql::quote_literal(name), quoted(name), view, same_key));
    }
    const pg::Result found = context_.main.exec(
        fmt::format("{} ORDER BY 1, 2 LIMIT {}", join(queries, " UNION ALL "), kMostDifferences));
    for (int i = 0; i < found.rows(); ++i) {
      const auto value = [&](int column) -> std::optional<std::string> {
        const auto text = found.value(i, column);
        return text ? std::optional(std::string(*text)) : std::nullopt;
      };
      report_.differences.push_back({*value(0), *value(1), value(2), value(3)});
    }
  }

  std::set<std::string> media_names() {
    std::set<std::string> names;
    for (const std::string& name : columns_.wanted()) {
      if (!columns_.then(name).is_media) continue;
      const pg::Result values = context_.main.exec(
          fmt::format("SELECT DISTINCT {0}::text FROM pg_temp.coppice_found WHERE {0} IS NOT NULL",
                      quoted(name)));
      for (int i = 0; i < values.rows(); ++i) {
        for_each_media_name(values.text(i, 0),
                            [&](std::string_view object) { names.emplace(object); });
      }
    }
    return names;
  }

  void load_objects(const std::set<std::string>& names) {
    if (names.empty()) return;
    BackupMedia media(repository_, home_);
    LoadRequest request;
    request.dry_run = request_.dry_run;
    const LoadedMedia loaded = load_media(repository_, media, context_.media, names, request, sink_,
                                          [&] { context_.check_stop(); });
    report_.media_added = loaded.added;
    report_.media_bytes = loaded.bytes;
    report_.damaged = loaded.lacking;
    if (loaded.lacking.empty() || request_.dry_run) return;
    throw Error(ErrorCode::kNotFound,
                fmt::format("{} media objects of these rows are neither in the backup nor in the "
                            "home: {}",
                            loaded.lacking.size(), join(loaded.lacking, "; ")),
                "nothing was written; name other rows, or --columns without them");
  }

  void write() {
    SqlParameters parameters;
    parameters["rows"] = rows_as_json();
    const std::vector<std::string> columns = columns_.written();
    std::vector<std::string> values, texts, sets, same;
    for (const std::string& name : columns) {
      const ColumnInfo& column = *table_->find_column(name);
      // A name of a media object is taken as such.
      const bool is_media = columns_.then(name).is_media;
      const std::string value =
          "r." + quoted(name) + (is_media ? "" : fmt::format("::{}", column.type));
      const bool is_key =
          std::find(columns_.key().begin(), columns_.key().end(), name) != columns_.key().end();
      values.push_back(value);
      texts.push_back(quoted(name) + " text");
      if (is_key) {
        same.push_back(fmt::format("t.{} = {}", quoted(name), value));
      } else {
        sets.push_back(request_.columns.empty() ? fmt::format("{0} = excluded.{0}", quoted(name))
                                                : fmt::format("{} = {}", quoted(name), value));
      }
    }
    const std::string source =
        fmt::format("json_to_recordset($rows::json) AS r({})", join(texts, ", "));
    std::string statement;
    if (request_.columns.empty()) {
      statement = fmt::format("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT ({}) DO {}",
                              table_->user_name(), each(columns, "{}", ", "), join(values, ", "),
                              source, each(columns_.key(), "{}", ", "),
                              sets.empty() ? "NOTHING" : "UPDATE SET " + join(sets, ", "));
    } else {
      statement = fmt::format("UPDATE {} AS t SET {} FROM {} WHERE {}", table_->user_name(),
                              join(sets, ", "), source, join(same, " AND "));
    }
    VersionSink version(sink_);
    engine::run_script(context_, statement, parameters, version);
    report_.version = version.version();
  }

  // Of texts: JSON has no NULL but its own.
  std::string rows_as_json() {
    const pg::Result size = context_.main.exec(
        "SELECT coalesce(sum(octet_length(f::text)), 0)::bigint FROM pg_temp.coppice_found f");
    if (static_cast<std::uint64_t>(size.integer(0, 0)) > kMostBytes) {
      throw Error(ErrorCode::kRefused,
                  fmt::format("these rows have {} bytes, and one rescue writes {} at most",
                              size.integer(0, 0), kMostBytes),
                  "rescue them in parts; or restore the table beside (--as NAME), and write "
                  "INSERT … SELECT … FROM NAME");
    }
    const std::vector<std::string> columns = columns_.written();
    const pg::Result json = context_.main.exec(
        fmt::format("SELECT coalesce(json_agg(x), '[]')::text FROM (SELECT {} FROM "
                    "pg_temp.coppice_found) x",
                    each(columns, "{0}::text AS {0}", ", ")));
    return std::string(json.text(0, 0));
  }

  EngineContext& context_;
  const repo::Repository& repository_;
  const Tree& home_;
  const RescueRequest& request_;
  RescueReport& report_;
  ResultSink& sink_;
  sql::Statement condition_;
  const BackupTable then_;
  const catalog::TablePointer table_;
  const RescueColumns columns_;
};

}  // namespace

RescueReport rescue(const Config& config, const RescueRequest& request, ResultSink& sink) {
  const auto begun = steady_clock::now();
  const ChosenBackup chosen = open_backup(request.repository, request.backup, request.at, sink);
  const Tree home = Tree::read(*chosen.open.repository, chosen.backup->manifest.tree);
  const std::unique_ptr<EngineContext> context = engine::open_home(config);
  context->refresh_functions();
  RescueReport report;
  report.backup = chosen.backup->id.hex();
  report.moment = chosen.backup->manifest.moment;
  Rescuer(*context, *chosen.open.repository, home, request, report, sink).run();
  report.bytes_read = chosen.open.store->requests().bytes_got;
  report.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
  return report;
}

}  // namespace coppice::recovery
