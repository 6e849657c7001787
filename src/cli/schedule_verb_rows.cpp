// The rows of the table of verbs about schedules.
#include "cli/verb_rows.h"

namespace coppice::cli {

std::vector<Verb> schedule_verbs() {
  constexpr std::string_view kTasks = "backup|forget|prune|verify|drill";
  return {
      {.name = "schedule show",
       .group = kBackups,
       .summary = "Show what is scheduled, what became of it last, and when it is due next",
       .details = "What is scheduled is set in config.toml, under [schedule].",
       .examples = {{"coppice schedule show", ""}}},
      {.name = "schedule run",
       .group = kBackups,
       .summary = "Do what is due by the schedule: backup, forget, prune, verify, drill",
       .details =
           "One task after another; what fails is tried again by a later call, after a pause that "
           "grows. A second call at the same time does nothing. Exit code 0 when all went well or "
           "nothing was due, 1 when all that was due failed, 3 when some of it did, 6 when damage "
           "was found.",
       .arguments = {{.name = "TASK",
                      .doc = "Do this now, due or not.",
                      .required = false,
                      .repeated = true,
                      .choices = kTasks}},
       .examples = {{"coppice schedule run", "what a timer calls every few minutes"},
                    {"coppice schedule run verify drill", "these two now"}}},
      {.name = "schedule install",
       .group = kBackups,
       .summary = "Have this machine call `schedule run` every five minutes",
       .details =
           "Writes and starts a timer of systemd, or a line of the crontab where there is no "
           "systemd. What it calls sees config.toml, and not your environment. Calling it again "
           "replaces what it wrote.",
       .options = {{.name = "--print", .doc = "Print what would be written, change nothing."},
                   {.name = "--user",
                    .doc = "A timer of yours; without it, root's is the machine's."},
                   {.name = "--system", .doc = "A timer of the machine; only root can install it."},
                   {.name = "--cron",
                    .doc = "A line of the crontab, also where there is systemd."}},
       .examples = {{"coppice schedule install --print", ""},
                    {"sudo coppice schedule install --home /srv/films", ""}}},
      {.name = "schedule remove",
       .group = kBackups,
       .summary = "Remove what `schedule install` wrote for this home",
       .examples = {{"coppice schedule remove", ""}}},
  };
}

}  // namespace coppice::cli
