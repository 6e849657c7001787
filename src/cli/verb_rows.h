// What the rows of the table of verbs share: groups, options that several verbs have, and the
// groups that have a file of their own.
#pragma once

#include "cli/verbs.h"

namespace coppice::cli {

inline constexpr std::string_view kStart = "Start";
inline constexpr std::string_view kData = "Data";
inline constexpr std::string_view kSchema = "Schema";
inline constexpr std::string_view kVersions = "Versions";
inline constexpr std::string_view kComputed = "Computed columns";
inline constexpr std::string_view kMedia = "Media";
inline constexpr std::string_view kBackups = "Backup and recovery";
inline constexpr std::string_view kCare = "Care";

inline constexpr Option kYes = {
    .name = "--yes", .short_name = "-y", .doc = "Go ahead without asking."};
inline constexpr Option kDryRun = {.name = "--dry-run",
                                   .doc = "Say what would be done, change nothing."};
inline constexpr Option kOutput = {
    .name = "--output",
    .short_name = "-o",
    .value = "FILE",
    .doc = "Write to FILE, replacing it as a whole, instead of standard output.",
    .offer = Offer::kFile};
inline constexpr Option kBudget = {
    .name = "--budget",
    .value = "AMOUNT",
    .doc = "Pause when calls of functions with a price have cost so much; each statement may."};
inline constexpr Option kBackground = {
    .name = "--background", .doc = "Print the job's id and let it go on in a process of its own."};
inline constexpr Argument kTable = {
    .name = "TABLE", .doc = "A table, as SQL names it.", .offer = Offer::kTable};

// The options that name a repository and its key, behind others.
std::vector<Option> with_repository(std::vector<Option> options);

std::vector<Verb> backup_verbs();
std::vector<Verb> copy_verbs();
std::vector<Verb> drill_verbs();
std::vector<Verb> key_verbs();
std::vector<Verb> restore_verbs();
std::vector<Verb> schedule_verbs();
std::vector<Verb> computed_verbs();  // with jobs, functions and what they cost

}  // namespace coppice::cli
