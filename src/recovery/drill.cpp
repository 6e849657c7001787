#include "recovery/drill.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "engine/open_home.h"
#include "engine/quiet_sinks.h"
#include "engine/run_sql.h"
#include "recovery/choose.h"
#include "recovery/open_repository.h"
#include "recovery/restore.h"
#include "recovery/time_text.h"
#include "sql/parse.h"

namespace coppice::recovery {
namespace {

namespace fs = std::filesystem;

// A home that is there for the drill alone.
class ScratchHome {
 public:
  ScratchHome(const ConfigRequest& config, const fs::path& parent) : folder_(parent, "drill") {
    // The account of the server must come through.
    if (::chmod(folder_.path().c_str(), 0755) != 0)
      throw_errno("open up " + folder_.path().string());
    where_.home = folder_.path() / "home";
    for (const auto& [name, value] : config.environment) {
      // What says how fast it goes stays; where the living home and its database are does not.
      if (name != "COPPICE_HOME" && name != "COPPICE_DATABASE_URL")
        where_.environment[name] = value;
    }
  }
  ~ScratchHome() {
    try {
      if (fs::exists(*where_.home / "pgdata")) engine::stop_home(Config::load(where_));
    } catch (const Error&) {
      // Its files go all the same, and a server without files ends.
    }
  }
  ScratchHome(const ScratchHome&) = delete;
  ScratchHome& operator=(const ScratchHome&) = delete;

  const ConfigRequest& where() const { return where_; }

 private:
  ScratchFolder folder_;
  ConfigRequest where_;
};

// Whether the first column of every row is true, and there is one.
class TruthSink final : public engine::SilentSink {
 public:
  void row(std::span<const std::optional<std::string_view>> values) override {
    ++rows_;
    if (!values.empty() && values[0] == "t") return;
    if (first_false_.empty()) {
      first_false_ = values.empty() || !values[0] ? "NULL" : std::string(*values[0]);
    }
  }
  bool holds() const { return rows_ > 0 && first_false_.empty(); }
  std::string what() const { return rows_ == 0 ? "it gives no rows" : "it gives " + first_false_; }

 private:
  std::uint64_t rows_ = 0;
  std::string first_false_;
};

DrillReport::Assertion assert_one(engine::EngineContext& context, std::string_view sql) {
  DrillReport::Assertion assertion;
  assertion.sql = std::string(trim(sql));
  TruthSink truth;
  try {
    engine::run_script(context, sql, {}, truth);
    assertion.holds = truth.holds();
    if (!assertion.holds) assertion.what = truth.what();
  } catch (const Error& error) {
    assertion.what = error.message();
  }
  return assertion;
}

void run_assertions(const ConfigRequest& where, const std::string& text, DrillReport& report) {
  const Config config = Config::load(where);
  const auto context = engine::open_home(config);
  for (const sql::Statement& statement : sql::parse(text)) {
    report.assertions.push_back(assert_one(*context, statement.text()));
  }
}

double loss_window(const Manifest& manifest, std::int64_t now_us) {
  // A home without changes has lost nothing since its point.
  std::int64_t newest = 0;
  for (const BackupPoint& point : manifest.points) {
    newest = std::max(newest, time_in(point.published_at));
  }
  if (newest == 0) newest = time_in(manifest.moment);
  return std::max(0.0, static_cast<double>(now_us - newest) / 1e6);
}

void check_objective(const char* name, const std::optional<double>& objective, double measured,
                     DrillReport& report) {
  if (!objective || measured <= *objective) return;
  report.missed.push_back(
      fmt::format("{} of {:.1f} s: {:.1f} s were measured", name, *objective, measured));
}

}  // namespace

DrillReport run_drill(const ConfigRequest& config, const DrillRequest& request, ResultSink& sink) {
  const std::int64_t now_us = SystemClock().now_us();
  // Before the work: a text that cannot be read should not cost a restore.
  const std::string assertions = request.assertions ? read_file(*request.assertions) : "";
  sql::parse(assertions);
  const ScratchHome scratch(
      config, request.scratch ? fs::path(*request.scratch) : fs::temp_directory_path());
  DrillReport report;
  RestoreRequest restore{request.repository, request.backup, request.at};
  engine::NoticeSink quiet(sink);
  report.restore = restore_home(scratch.where(), restore, quiet);
  if (report.restore.equal) run_assertions(scratch.where(), assertions, report);
  const OpenRepository open = open_repository(request.repository, quiet);
  const std::vector<KnownBackup> backups = known_backups(*open.repository, quiet);
  report.rpo_seconds = loss_window(backup_named(backups, report.restore.backup).manifest, now_us);
  check_objective("the time to recover", request.rto_seconds, report.restore.times.total, report);
  check_objective("the loss window", request.rpo_seconds, report.rpo_seconds, report);
  return report;
}

}  // namespace coppice::recovery
