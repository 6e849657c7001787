#include "recovery/drill_report.h"

#include <fmt/core.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "config/version.h"
#include "recovery/pin.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kKind = "coppice drill report";
constexpr int kFormat = 1;

ordered_json seconds_or_null(const std::optional<double>& seconds) {
  return seconds ? ordered_json(rounded_seconds(*seconds)) : ordered_json();
}

ordered_json machine() {
  struct utsname system {};
  ::uname(&system);
  struct sysinfo memory {};
  ::sysinfo(&memory);
  return {{"host", host_name()},
          {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", std::uint64_t{memory.totalram} * memory.mem_unit}};
}

ordered_json backup_of(const KnownBackup& backup) {
  const Manifest& manifest = backup.manifest;
  return {{"id", backup.id.hex()},
          {"moment", manifest.moment},
          {"created_at", manifest.created_at},
          {"home", manifest.home},
          {"host", manifest.host},
          {"program", manifest.program},
          {"tags", manifest.tags},
          {"rows", manifest.rows},
          {"media_objects", manifest.media_objects},
          {"bytes", manifest.bytes_total}};
}

ordered_json versions_of(const Manifest& manifest) {
  ordered_json versions = ordered_json::array();
  for (const BackupPoint& point : manifest.points) {
    versions.push_back({{"tables", point.tables},
                        {"version", point.version},
                        {"published_at", point.published_at}});
  }
  return versions;
}

ordered_json times_of(const RestoreTimes& times) {
  return {{"start", rounded_seconds(times.start)},
          {"rows", rounded_seconds(times.rows)},
          {"indexes", rounded_seconds(times.indexes)},
          {"first_query", rounded_seconds(times.first_query)},
          {"media", rounded_seconds(times.media)},
          {"roots", rounded_seconds(times.roots)},
          {"total", rounded_seconds(times.total)}};
}

ordered_json assertions_of(const DrillReport& report) {
  ordered_json assertions = ordered_json::array();
  for (const DrillReport::Assertion& assertion : report.assertions) {
    assertions.push_back(
        {{"sql", assertion.sql}, {"holds", assertion.holds}, {"what", assertion.what}});
  }
  return assertions;
}

ordered_json past_json(const std::vector<PastDrill>& all) {
  ordered_json past = ordered_json::array();
  const std::size_t skipped = all.size() - std::min(all.size(), kMostPastDrills);
  for (std::size_t i = skipped; i < all.size(); ++i) {
    const PastDrill& drill = all[i];
    past.push_back({{"id", drill.id},
                    {"began_at", drill.began_at},
                    {"backup", drill.backup},
                    {"passed", drill.passed},
                    {"rto_seconds", seconds_or_null(drill.rto_seconds)},
                    {"rpo_seconds", seconds_or_null(drill.rpo_seconds)},
                    {"rto_objective", seconds_or_null(drill.rto_objective)},
                    {"rpo_objective", seconds_or_null(drill.rpo_objective)}});
  }
  return past;
}

std::optional<double> number_in(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

template <typename Call>
auto checked(const Call& call) {
  try {
    return call();
  } catch (const json::exception& error) {
    throw Error(ErrorCode::kIntegrity, fmt::format("it is no report of a drill: {}", error.what()));
  }
}

}  // namespace

double rounded_seconds(double seconds) { return std::round(seconds * 1e3) / 1e3; }

ordered_json report_of(const DrillRecord& record) {
  const DrillReport& report = record.report;
  const RestoreReport& restore = report.restore;
  const bool ended = !report.failure;
  const auto text_or_null = [](bool there, const std::string& text) {
    return there ? ordered_json(text) : ordered_json();
  };
  return {{"kind", kKind},
          {"format", kFormat},
          {"program", program_version()},
          {"repository", record.repository},
          {"encrypted", record.encrypted},
          {"began_at", utc_text(record.began_us)},
          {"ended_at", utc_text(record.ended_us)},
          {"machine", machine()},
          {"asked", record.asked},
          {"backup", backup_of(record.backup)},
          {"versions", versions_of(record.backup.manifest)},
          {"passed", report.passed()},
          {"root_expected", record.backup.manifest.root},
          {"root_restored", text_or_null(ended, restore.root_restored)},
          {"equal", restore.equal},
          {"differences", restore.differences},
          {"damaged", report.damaged},
          {"failure", text_or_null(!ended, ended ? "" : report.failure->message())},
          {"rto_seconds", ended ? times_of(restore.times) : ordered_json()},
          {"rpo_seconds", rounded_seconds(report.rpo_seconds)},
          {"assertions", assertions_of(report)},
          {"objectives",
           {{"rto_seconds", seconds_or_null(record.request.rto_seconds)},
            {"rpo_seconds", seconds_or_null(record.request.rpo_seconds)}}},
          {"missed", report.missed},
          {"past", past_json(record.past)}};
}

json parse_report(const std::string& text) {
  return checked([&] {
    json report = json::parse(text);
    if (report.at("kind") != kKind) {
      throw Error(ErrorCode::kIntegrity, "it is signed, but no report of a drill");
    }
    if (report.at("format") == kFormat) return report;
    throw Error(ErrorCode::kNewerFormat,
                fmt::format("the report has format {}, and this program knows {}",
                            report.at("format").dump(), kFormat),
                "use a newer coppice");
  });
}

PastDrill summary_of(const json& report, const std::string& id) {
  return checked([&] {
    const json& times = report.at("rto_seconds");
    const json& objectives = report.at("objectives");
    return PastDrill{id,
                     report.at("began_at").get<std::string>(),
                     report.at("backup").at("id").get<std::string>(),
                     report.at("passed").get<bool>(),
                     times.is_null() ? std::nullopt : number_in(times.at("total")),
                     number_in(report.at("rpo_seconds")),
                     number_in(objectives.at("rto_seconds")),
                     number_in(objectives.at("rpo_seconds"))};
  });
}

std::vector<PastDrill> past_of(const json& report) {
  return checked([&] {
    std::vector<PastDrill> past;
    for (const json& drill : report.at("past")) {
      past.push_back({drill.at("id").get<std::string>(), drill.at("began_at").get<std::string>(),
                      drill.at("backup").get<std::string>(), drill.at("passed").get<bool>(),
                      number_in(drill.at("rto_seconds")), number_in(drill.at("rpo_seconds")),
                      number_in(drill.at("rto_objective")), number_in(drill.at("rpo_objective"))});
    }
    return past;
  });
}

}  // namespace coppice::recovery
