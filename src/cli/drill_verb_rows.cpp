// The rows of the table of verbs about drills.
#include "cli/verb_rows.h"

namespace coppice::cli {

std::vector<Verb> drill_verbs() {
  return {
      {.name = "drill",
       .group = kBackups,
       .summary = "Restore into a scratch home, prove it, measure it, and remove it",
       .details =
           "Uses the repository and its key alone. Each statement of the assertions must give rows "
           "whose first column is true. Objectives that no option says are those of the settings, "
           "where a home is at hand. Exit code 6 when what was restored differs, 1 when an "
           "assertion does not hold or an objective is missed.",
       .options = with_repository(
           {{.name = "--backup", .value = "BACKUP", .doc = "Its id; without it the latest."},
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
            {.name = "--scratch",
             .value = "FOLDER",
             .doc = "Where the scratch home is made and removed; else the folder for temporary "
                    "files.",
             .offer = Offer::kFolder}}),
       .examples = {{"coppice drill --repo /backup/films", ""},
                    {"coppice drill --repo /backup/films --assertions checks.sql --rto 600", ""}}},
  };
}

}  // namespace coppice::cli
