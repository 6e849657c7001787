// The rows of the table of verbs about drills.
#include "cli/verb_rows.h"

namespace coppice::cli {

std::vector<Verb> drill_verbs() {
  return {
      {.name = "drill run",
       .group = kBackups,
       .summary = "Restore into a scratch home, prove it, measure it, and remove it",
       .details =
           "Uses the repository and its key alone. Each statement of the assertions must give rows "
           "whose first column is true. Objectives that no option says are those of the settings, "
           "where a home is at hand; without one only options count. A signed report stays in the "
           "repository, and the home that the backup is of notes the outcome. Exit code 6 when "
           "what was restored differs, or is damaged; 1 when an assertion does not hold or an "
           "objective is missed.",
       .options = with_repository(
           {{.name = "--backup",
             .value = "BACKUP",
             .doc =
                 "Its id, latest, or random: any that the repository has; without it the latest."},
            {.name = "--at",
             .value = "TIME",
             .doc = "The newest backup that is not later than TIME."},
            {.name = "--assertions",
             .value = "FILE",
             .doc = "SQL that must be true of the restored home.",
             .offer = Offer::kFile},
            {.name = "--rto",
             .value = "DURATION",
             .doc = "How long a recovery may take: seconds, or '10 minutes' (setting "
                    "objectives.rto)."},
            {.name = "--rpo",
             .value = "DURATION",
             .doc = "How old the newest version may be (setting objectives.rpo)."},
            {.name = "--report",
             .value = "FILE",
             .doc = "Write the report to FILE.json and FILE.html, or to FILE when it ends so.",
             .offer = Offer::kFile},
            {.name = "--scratch",
             .value = "FOLDER",
             .doc = "Where the scratch home is made and removed; else the folder for temporary "
                    "files.",
             .offer = Offer::kFolder}}),
       .examples = {{"coppice drill --repo /backup/films", ""},
                    {"coppice drill --backup random --assertions checks.sql --rto '10 minutes'",
                     ""},
                    {"coppice drill --repo /backup/films --report drill", ""}}},
      {.name = "drill list",
       .group = kBackups,
       .summary = "List the drills that a repository remembers",
       .options = with_repository({}),
       .examples = {{"coppice drill list --repo /backup/films", ""}}},
      {.name = "drill show",
       .group = kBackups,
       .summary = "Print the signed report of a drill, or write it as JSON and a page",
       .arguments = {{.name = "DRILL", .doc = "Its id, the first digits of it, or latest."}},
       .options = with_repository(
           {{.name = "--report",
             .value = "FILE",
             .doc = "Write it to FILE.json and FILE.html, or to FILE when it ends so.",
             .offer = Offer::kFile}}),
       .examples = {{"coppice drill show latest --report drill --repo /backup/films", ""}}},
      {.name = "drill verify",
       .group = kBackups,
       .summary = "Check that a report is what the repository's key has signed",
       .details =
           "Of a report as JSON or as a page. Exit code 6 for any changed byte, and for a report "
           "that another key has signed. Whether the drill passed is what the report says, and "
           "changes nothing here.",
       .arguments = {{.name = "REPORT", .doc = "The file.", .offer = Offer::kFile}},
       .options = with_repository(
           {{.name = "--public-key",
             .value = "HEX",
             .doc =
                 "The key that is trusted, in place of a repository: as `drill key` prints it."}}),
       .examples = {{"coppice drill verify drill.html --repo /backup/films", ""}}},
      {.name = "drill key",
       .group = kBackups,
       .summary = "Print the public key that the reports of a repository are signed with",
       .options = with_repository({}),
       .examples = {{"coppice drill key --repo /backup/films", ""}}},
  };
}

}  // namespace coppice::cli
