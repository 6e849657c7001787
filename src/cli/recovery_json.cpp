#include "cli/recovery_json.h"

#include <fmt/core.h>

#include "cli/json_text.h"

namespace coppice::cli {
namespace {

std::string seconds_json(double seconds) { return fmt::format("{:.3f}", seconds); }

std::string requests_json(const StoreRequests& requests) {
  return JsonObject()
      .add("put", requests.puts)
      .add("get", requests.gets)
      .add("stat", requests.stats)
      .add("list", requests.lists)
      .add("remove", requests.removes)
      .add("bytes_put", requests.bytes_put)
      .add("bytes_got", requests.bytes_got)
      .text();
}

std::string times_json(const RestoreTimes& times) {
  return JsonObject()
      .add_json("start", seconds_json(times.start))
      .add_json("rows", seconds_json(times.rows))
      .add_json("indexes", seconds_json(times.indexes))
      .add_json("first_query", seconds_json(times.first_query))
      .add_json("media", seconds_json(times.media))
      .add_json("roots", seconds_json(times.roots))
      .add_json("total", seconds_json(times.total))
      .text();
}

}  // namespace

std::string report_json(const BackupReport& report) {
  return JsonObject()
      .add("id", report.id)
      .add("root", report.root)
      .add("parent", report.parent)
      .add("rows_read", report.rows_read)
      .add("media_added", report.media_added)
      .add("bytes_written", report.bytes_written)
      .add("bytes_total", report.bytes_total)
      .add_json("damaged", json_strings(report.damaged))
      .add_json("requests", requests_json(report.requests))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const VerifyReport& report) {
  std::vector<std::string> findings;
  for (const VerifyReport::Finding& finding : report.findings) {
    findings.push_back(JsonObject().add("object", finding.object).add("what", finding.what).text());
  }
  return JsonObject()
      .add("intact", report.findings.empty())
      .add("backups", report.backups)
      .add("packs", report.packs)
      .add("blobs_read", report.blobs_read)
      .add("bytes_read", report.bytes_read)
      .add("rows", report.rows)
      .add_json("affected", json_strings(report.affected))
      .add_json("findings", json_array(findings))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const DrillReport& report) {
  std::vector<std::string> assertions;
  for (const DrillReport::Assertion& assertion : report.assertions) {
    assertions.push_back(JsonObject()
                             .add("sql", assertion.sql)
                             .add("holds", assertion.holds)
                             .add("what", assertion.what)
                             .text());
  }
  return JsonObject()
      .add("backup", report.restore.backup)
      .add("moment", report.restore.moment)
      .add("root_expected", report.restore.root_expected)
      .add("root_restored", report.restore.root_restored)
      .add("root_equal", report.restore.equal)
      .add_json("differences", json_strings(report.restore.differences))
      .add_json("damaged", json_strings(report.damaged))
      .add("failure", report.failure ? report.failure->message() : std::string())
      .add_json("rto_seconds", times_json(report.restore.times))
      .add_json("rpo_seconds", seconds_json(report.rpo_seconds))
      .add("objectives_met", report.missed.empty())
      .add_json("missed", json_strings(report.missed))
      .add_json("assertions", json_array(assertions))
      .add("passed", report.passed())
      .add("report", report.id)
      .add("public_key", report.public_key)
      .text();
}

std::string report_json(const RestoreReport& report) {
  return JsonObject()
      .add("backup", report.backup)
      .add("moment", report.moment)
      .add("root_expected", report.root_expected)
      .add("root_restored", report.root_restored)
      .add("equal", report.equal)
      .add_json("differences", json_strings(report.differences))
      .add_json("damaged", json_strings(report.damaged))
      .add("rows", report.rows)
      .add("media_objects", report.media_objects)
      .add("bytes", report.bytes)
      .add_json("phases", times_json(report.times))
      .add_json("requests", requests_json(report.requests))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const RestorePlan& plan) {
  return JsonObject()
      .add("backup", plan.backup)
      .add("moment", plan.moment)
      .add("refused", plan.refused)
      .add("tables", plan.tables)
      .add("rows", plan.rows)
      .add("media_objects", plan.media_objects)
      .add("media_bytes", plan.media_bytes)
      .add("blobs", plan.blobs)
      .add("bytes_read", plan.bytes_read)
      .add_json("seconds", seconds_json(plan.seconds))
      .add("rates", plan.rates)
      .add("home", plan.home)
      .add_json("loss_seconds", seconds_json(plan.loss_seconds))
      .add("lost_versions", plan.lost_versions)
      .add_json("lost", json_strings(plan.lost))
      .text();
}

std::string report_json(const TableRestoreReport& report) {
  return JsonObject()
      .add("backup", report.backup)
      .add("moment", report.moment)
      .add("table", report.table)
      .add("from_version", report.from_version)
      .add("as", report.as)
      .add_json("version", report.version ? std::to_string(*report.version) : "null")
      .add("rows", report.rows)
      .add("media_objects", report.media_objects)
      .add("media_added", report.media_added)
      .add("media_bytes", report.media_bytes)
      .add_json("plain_columns", json_strings(report.plain_columns))
      .add_json("damaged", json_strings(report.damaged))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const MediaRestoreReport& report) {
  return JsonObject()
      .add("backup", report.backup)
      .add("objects", report.objects)
      .add("missing", report.missing)
      .add("damaged", report.damaged)
      .add("restored", report.restored)
      .add("bytes", report.bytes)
      .add_json("lacking", json_strings(report.lacking))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const ExportReport& report) {
  return JsonObject()
      .add("backup", report.backup)
      .add("moment", report.moment)
      .add("tables", report.tables)
      .add("rows", report.rows)
      .add("media_objects", report.media_objects)
      .add("media_bytes", report.media_bytes)
      .add("bytes", report.bytes)
      .add_json("left_out", json_strings(report.left_out))
      .add_json("damaged", json_strings(report.damaged))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

}  // namespace coppice::cli
