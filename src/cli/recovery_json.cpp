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

std::string findings_json(const std::vector<VerifyReport::Finding>& all) {
  std::vector<std::string> findings;
  for (const VerifyReport::Finding& finding : all) {
    findings.push_back(JsonObject().add("object", finding.object).add("what", finding.what).text());
  }
  return json_array(findings);
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
      .add_json("suspect", json_strings(report.suspect))
      .add_json("requests", requests_json(report.requests))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const OtherBackupReport& report) {
  return JsonObject()
      .add("id", report.id)
      .add("root", report.root)
      .add("parent", report.parent)
      .add("dump_bytes", report.dump_bytes)
      .add("files", report.files)
      .add("file_bytes", report.file_bytes)
      .add("files_read", report.files_read)
      .add("bytes_read", report.bytes_read)
      .add("bytes_written", report.bytes_written)
      .add("bytes_total", report.bytes_total)
      .add_json("damaged", json_strings(report.damaged))
      .add_json("left_out", json_strings(report.left_out))
      .add_json("requests", requests_json(report.requests))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const OtherRestoreReport& report) {
  return JsonObject()
      .add("backup", report.backup)
      .add("moment", report.moment)
      .add("root_expected", report.root_expected)
      .add("root_restored", report.root_restored)
      .add("equal", report.equal)
      .add_json("differences", json_strings(report.differences))
      .add_json("damaged", json_strings(report.damaged))
      .add("files", report.files)
      .add("file_bytes", report.file_bytes)
      .add("files_kept", report.files_kept)
      .add("dump_bytes", report.dump_bytes)
      .add_json("phases", JsonObject()
                              .add_json("files", seconds_json(report.files_seconds))
                              .add_json("dump", seconds_json(report.dump_seconds))
                              .text())
      .add_json("requests", requests_json(report.requests))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const VerifyReport& report) {
  return JsonObject()
      .add("intact", report.findings.empty())
      .add("backups", report.backups)
      .add("packs", report.packs)
      .add("blobs_read", report.blobs_read)
      .add("bytes_read", report.bytes_read)
      .add("rows", report.rows)
      .add_json("affected", json_strings(report.affected))
      .add_json("findings", findings_json(report.findings))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const BisectReport& report) {
  std::vector<std::string> steps;
  for (const BisectReport::Step& step : report.steps) {
    steps.push_back(
        JsonObject().add("what", step.what).add("holds", step.holds).add("why", step.why).text());
  }
  return JsonObject()
      .add("good", report.good)
      .add("bad", report.bad)
      .add("moment", report.moment)
      .add_json("version", report.version ? std::to_string(*report.version) : "null")
      .add("published_at", report.published_at)
      .add("statement", report.statement)
      .add("author", report.author)
      .add_json("steps", json_array(steps))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const CopyReport& report) {
  return JsonObject()
      .add("shares_keys", report.shares_keys)
      .add_json("copied", json_strings(report.copied))
      .add("there", report.there)
      .add("packs", report.packs)
      .add("pack_bytes", report.pack_bytes)
      .add("blobs", report.blobs)
      .add("blob_bytes", report.blob_bytes)
      .add_json("failed", findings_json(report.failed))
      .add_json("requests", requests_json(report.requests))
      .add_json("to_requests", requests_json(report.to_requests))
      .add_json("seconds", seconds_json(report.seconds))
      .text();
}

std::string report_json(const BackupRepairReport& report) {
  std::vector<std::string> repaired;
  for (const auto& [object, how] : report.repaired) {
    repaired.push_back(JsonObject().add("object", object).add("how", how).text());
  }
  return JsonObject()
      .add_json("found", findings_json(report.found))
      .add_json("repaired", json_array(repaired))
      .add_json("left", findings_json(report.left))
      .add_json("elsewhere", json_strings(report.elsewhere))
      .add("blobs", report.blobs)
      .add("bytes", report.bytes)
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

static std::string json_or_null(const std::optional<std::string>& text) {
  if (!text) return "null";
  std::string json;
  append_json_string(json, *text);
  return json;
}

std::string report_json(const RescueReport& report) {
  std::vector<std::string> differences;
  for (const RescueReport::Difference& one : report.differences) {
    differences.push_back(JsonObject()
                              .add("row", one.row)
                              .add("column", one.column)
                              .add_json("now", json_or_null(one.now))
                              .add_json("then", json_or_null(one.then))
                              .text());
  }
  return JsonObject()
      .add("backup", report.backup)
      .add("moment", report.moment)
      .add("table", report.table)
      .add("into", report.into)
      .add("from_version", report.from_version)
      .add_json("version", report.version ? std::to_string(*report.version) : "null")
      .add("matched", report.matched)
      .add("changed", report.changed)
      .add("missing", report.missing)
      .add("inserted", report.inserted)
      .add("media_added", report.media_added)
      .add("media_bytes", report.media_bytes)
      .add_json("differences", json_array(differences))
      .add_json("damaged", json_strings(report.damaged))
      .add("bytes_read", report.bytes_read)
      .add_json("seconds", seconds_json(report.seconds))
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
