#include "recovery/export_sql.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/runs.h"
#include "base/error.h"
#include "base/text.h"
#include "recovery/current_rows.h"
#include "recovery/export_history.h"
#include "sql/names.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

constexpr std::uint64_t kRowsOfProgress = 65'536;

// Values are written under these settings; names without a schema are of public, or media.
constexpr const char* kHead =
    "\\set ON_ERROR_STOP on\n"
    "BEGIN;\n"
    "SET LOCAL client_encoding = 'UTF8';\n"
    "SET LOCAL standard_conforming_strings = on;\n"
    "SET LOCAL DateStyle = 'ISO, MDY';\n"
    "SET LOCAL IntervalStyle = 'postgres';\n"
    "SET LOCAL TimeZone = 'UTC';\n"
    "SET LOCAL lc_monetary = 'C';\n"
    "SET LOCAL xmloption = 'content';\n"
    "SET LOCAL check_function_bodies = off;\n"
    "SET LOCAL search_path = public, coppice;\n"
    "\n"
    "CREATE SCHEMA coppice;\n"
    "CREATE DOMAIN coppice.image AS text;\n"
    "CREATE DOMAIN coppice.video AS text;\n"
    "CREATE DOMAIN coppice.audio AS text;\n"
    "CREATE DOMAIN coppice.document AS text;\n"
    "COMMENT ON SCHEMA coppice IS 'types of columns that hold names of media: media:<sha256>.<ext> "
    "is the file media/sha256/<first two digits>/<sha256>.<ext> of media.tar';\n\n";

class SqlExport {
 public:
  SqlExport(const repo::Repository& repository, const KnownBackup& backup, const Tree& home,
            OutputFile& file, ExportReport& report, ResultSink& sink)
      : repository_(repository),
        backup_(backup),
        home_(home),
        file_(file),
        report_(report),
        sink_(sink) {}

  void write(bool history) {
    home_.checked([&] {
      const json& plain = plain_schema();
      begin(plain);
      statements(plain.at("before"));
      for (const json& table : plain.at("tables")) {
        write_table(table);
      }
      for (const json& table : plain.at("tables")) statements(table.at("keys"));
      statements(plain.at("after"));
      for (const json& table : plain.at("tables")) statements(table.at("rest"));
      statements(plain.at("grants"));
      if (history) export_history(repository_, home_, file_, sink_);
    });
    file_.write("COMMIT;\n");
  }

 private:
  const json& plain_schema() const {
    if (home_.has("plain")) return home_.member("plain");
    throw Error(ErrorCode::kUnsupported,
                fmt::format("the backup {} was made before backups could be exported",
                            short_backup_id(backup_.id.hex())),
                "restore it, and back up the restored home");
  }

  void begin(const json& plain) {
    file_.write(
        fmt::format("-- The backup {} of {}, as SQL that needs no Coppice.\n"
                    "-- Into an empty database: psql -v ON_ERROR_STOP=1 -f backup.sql\n",
                    backup_.id.hex(), backup_.manifest.moment));
    for (const json& item : plain.at("left_out")) {
      auto text = item.get<std::string>();
      report_.left_out.push_back(text);
      std::replace(text.begin(), text.end(), '\n', ' ');
      file_.write(fmt::format("-- Left out: {}\n", text));
    }
    file_.write(kHead);
  }

  void statements(const json& list) {
    for (const json& statement : list) file_.write(statement.get<std::string>() + ";\n");
    if (!list.empty()) file_.write("\n");
  }

  void write_table(const json& table) {
    std::vector<std::string> names, physical;
    for (const json& column : table.at("columns")) {
      names.push_back(sql::quote_identifier(column.at("name").get<std::string>()));
      physical.push_back(column.at("physical").get<std::string>());
    }
    const auto name = table.at("name").get<std::string>();
    file_.write(table.at("create").get<std::string>() + ";\n");
    file_.write(fmt::format("COPY {} ({}) FROM stdin;\n", name, join(names, ", ")));
    Progress progress{"exporting " + name, 0, 0};
    for_each_current_row(repository_, runs_of(table), physical, [&](std::string_view line) {
      file_.write(line);
      if (++progress.done % kRowsOfProgress == 0) sink_.progress(progress);
    });
    file_.write("\\.\n\n");
    report_.rows += progress.done;
    ++report_.tables;
  }

  TableRuns runs_of(const json& plain) const {
    for (const json& table : home_.member("tables")) {
      if (table.at("table_id") == plain.at("table_id")) {
        return read_table(repository_, home_.tree(table.at("tree")));
      }
    }
    throw Error(ErrorCode::kIntegrity, "the backup lacks the rows of one of its tables");
  }

  const repo::Repository& repository_;
  const KnownBackup& backup_;
  const Tree& home_;
  OutputFile& file_;
  ExportReport& report_;
  ResultSink& sink_;
};

}  // namespace

void export_sql(const repo::Repository& repository, const KnownBackup& backup, const Tree& home,
                bool history, OutputFile& file, ExportReport& report, ResultSink& sink) {
  SqlExport(repository, backup, home, file, report, sink).write(history);
}

}  // namespace coppice::recovery
