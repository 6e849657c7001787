// What backups, restores and drills have done, as one JSON object for --json.
#pragma once

#include <string>

#include "recovery/recovery.h"

namespace coppice::cli {

std::string report_json(const BackupReport& report);
std::string report_json(const OtherBackupReport& report);
std::string report_json(const OtherRestoreReport& report);
std::string report_json(const VerifyReport& report);
std::string report_json(const BisectReport& report);
std::string report_json(const CopyReport& report);
std::string report_json(const BackupRepairReport& report);
std::string report_json(const RestoreReport& report);
std::string report_json(const DrillReport& report);
std::string report_json(const ExportReport& report);
std::string report_json(const RestorePlan& plan);
std::string report_json(const TableRestoreReport& report);
std::string report_json(const RescueReport& report);
std::string report_json(const MediaRestoreReport& report);

}  // namespace coppice::cli
