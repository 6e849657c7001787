// Reports of drills: what one found, as JSON, and what later ones say of it.
//
// Units    Seconds; times since 1970 UTC in microseconds.
// Threads  Plain values.
// Errors   kIntegrity for a report that is none, kNewerFormat for one of another format.
// Source   docs/formats/drill_report.md
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "recovery/open_repository.h"

namespace coppice::recovery {

// What a report says of an earlier drill, and what a list shows.
struct PastDrill {
  std::string id;  // 64 digits
  std::string began_at;
  std::string backup;
  bool passed = false;
  std::optional<double> rto_seconds, rpo_seconds;
  std::optional<double> rto_objective, rpo_objective;
};

struct DrillRecord {
  std::string repository;  // its id
  bool encrypted = false;
  std::string asked;  // "latest"
  const KnownBackup& backup;
  std::int64_t began_us = 0, ended_us = 0;
  const DrillRequest& request;
  const DrillReport& report;
  std::vector<PastDrill> past;  // the oldest first
};
inline constexpr std::size_t kMostPastDrills = 60;

// Without its key and signature.
nlohmann::ordered_json report_of(const DrillRecord& record);

// Of a report that was verified.
nlohmann::json parse_report(const std::string& text);
PastDrill summary_of(const nlohmann::json& report, const std::string& id);
std::vector<PastDrill> past_of(const nlohmann::json& report);

// 1.23456 is 1.235.
double rounded_seconds(double seconds);

}  // namespace coppice::recovery
