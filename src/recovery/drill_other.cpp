#include "recovery/drill_other.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <chrono>

#include "base/error.h"
#include "base/text.h"
#include "pg/connection.h"
#include "pg/private_server.h"
#include "recovery/restore_dump.h"
#include "recovery/restore_files.h"
#include "sql/parse.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

DrillReport::Assertion assert_one(pg::Connection& connection, std::string_view sql) {
  DrillReport::Assertion assertion;
  assertion.sql = std::string(trim(sql));
  try {
    const pg::Result rows = connection.exec(assertion.sql);
    assertion.holds = rows.rows() > 0 && !rows.columns().empty();
    if (!assertion.holds) assertion.what = "it gives no rows";
    for (int row = 0; row < rows.rows() && assertion.holds; ++row) {
      assertion.holds = !rows.is_null(row, 0) && rows.text(row, 0) == "t";
      if (assertion.holds) continue;
      assertion.what =
          fmt::format("it gives {}", rows.is_null(row, 0) ? "NULL" : rows.text(row, 0));
    }
  } catch (const Error& error) {
    assertion.what = error.message();
  }
  return assertion;
}

class OtherDrill {
 public:
  OtherDrill(const repo::Repository& repository, const KnownBackup& backup, fs::path folder,
             const std::string& assertions, DrillReport& report, ResultSink& sink)
      : repository_(repository),
        backup_(backup),
        folder_(std::move(folder)),
        assertions_(assertions),
        report_(report),
        sink_(sink),
        data_(read_other_data(repository, backup.manifest)) {}

  void run() {
    if (data_.dump) {
      load_dump();
    } else if (!sql::parse(assertions_).empty()) {
      throw Error(ErrorCode::kUsage, "there are assertions, and the backup has no database",
                  "leave them out, or drill a backup with a dump");
    }
    restored().times.first_query = seconds();
    load_files();
    restored().root_restored = data_.root();
    restored().equal =
        restored().differences.empty() && restored().root_restored == backup_.manifest.root;
    restored().times.total = restored().seconds = seconds();
  }

 private:
  RestoreReport& restored() { return report_.restore; }
  double seconds() const {
    return std::chrono::duration<double>(steady_clock::now() - begun_).count();
  }

  void load_dump() {
    pg::PrivateServerOptions options;
    options.home = folder_;
    pg::PrivateServer server(std::move(options));
    server.initialise();
    server.start();
    restored().times.start = seconds();
    restore_dump(repository_, *data_.dump, server.conninfo(), sink_);
    restored().times.rows = seconds() - restored().times.start;
    pg::Connection connection = pg::Connection::connect(server.conninfo());
    for (const sql::Statement& statement : sql::parse(assertions_)) {
      report_.assertions.push_back(assert_one(connection, statement.text()));
    }
  }

  void load_files() {
    if (data_.sources.empty()) return;
    const double begun = seconds();
    const fs::path place = folder_ / "files";
    fs::create_directories(place);
    const FilesPlace files(place, backup_.id.hex());
    const RestoredFiles counts = restore_files(repository_, data_, files, sink_);
    for (FileSource& source : data_.sources) {
      if (!take_from_disk(place, source)) {
        restored().differences.push_back(shown_path(source.path));
      }
    }
    restored().media_objects = counts.files;
    restored().times.media = seconds() - begun;
  }

  const repo::Repository& repository_;
  const KnownBackup& backup_;
  const fs::path folder_;
  const std::string& assertions_;
  DrillReport& report_;
  ResultSink& sink_;
  OtherData data_;
  const steady_clock::time_point begun_ = steady_clock::now();
};

}  // namespace

void drill_other_data(const repo::Repository& repository, const KnownBackup& backup,
                      const fs::path& folder, const std::string& assertions, DrillReport& report,
                      ResultSink& sink) {
  OtherDrill(repository, backup, folder, assertions, report, sink).run();
}

}  // namespace coppice::recovery
