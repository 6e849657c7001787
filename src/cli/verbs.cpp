#include "cli/verbs.h"

#include <algorithm>

namespace coppice::cli {
namespace {

constexpr std::string_view kStart = "Start";
constexpr std::string_view kData = "Data";
constexpr std::string_view kSchema = "Schema";
constexpr std::string_view kVersions = "Versions";
constexpr std::string_view kComputed = "Computed columns";
constexpr std::string_view kMedia = "Media";
constexpr std::string_view kCare = "Care";

constexpr Option kYes = {.name = "--yes", .short_name = "-y", .doc = "Go ahead without asking."};
constexpr Option kDryRun = {.name = "--dry-run", .doc = "Say what would be done, change nothing."};
constexpr Option kOutput = {
    .name = "--output",
    .short_name = "-o",
    .value = "FILE",
    .doc = "Write to FILE, replacing it as a whole, instead of standard output.",
    .offer = Offer::kFile};
constexpr Option kBudget = {
    .name = "--budget",
    .value = "AMOUNT",
    .doc = "Pause when calls of functions with a price have cost so much; each statement may."};
constexpr Option kBackground = {
    .name = "--background", .doc = "Print the job's id and let it go on in a process of its own."};
constexpr Argument kTable = {
    .name = "TABLE", .doc = "A table, as SQL names it.", .offer = Offer::kTable};

std::vector<Verb> start_verbs() {
  return {
      {.name = "init",
       .group = kStart,
       .summary = "Make a home and its database",
       .details = "Without --database a private PostgreSQL cluster is made in the home; no network "
                  "port is opened. A home that exists is left as it is.",
       .examples = {{"coppice init", "the default home"},
                    {"coppice init --home /srv/media --database postgresql://db.example/coppice",
                     "a home whose rows live on an existing server"}}},
      {.name = "sql",
       .group = kStart,
       .summary = "Run SQL statements",
       .details = "The text comes from the argument, a file, or standard input. Statements run one "
                  "after another, each its own operation; the first failure stops the call. "
                  "Relative file names in the SQL are relative to the working directory.",
       .arguments = {{.name = "SQL", .doc = "The statements.", .required = false}},
       .options = {{.name = "--file",
                    .short_name = "-f",
                    .value = "FILE",
                    .doc = "Read the statements from FILE; - is standard input.",
                    .offer = Offer::kFile},
                   {.name = "--param",
                    .short_name = "-p",
                    .value = "NAME=VALUE",
                    .doc = "A value for $NAME in the text, bound and never spliced in.",
                    .repeated = true},
                   kBudget,
                   kBackground},
       .examples =
           {{"coppice sql \"SELECT title, seconds FROM films.film\"", "a query"},
            {"coppice sql -p name=\"O'Hara\" 'SELECT * FROM people WHERE name = $name' --json",
             "with a parameter, rows as JSON lines"}}},
      {.name = "shell",
       .group = kStart,
       .summary = "Type SQL with editing, history and completion",
       .details = "\\? in the shell lists its commands. Statements end with a semicolon.",
       .examples = {{"coppice shell", "at a terminal"},
                    {"coppice shell < session.txt", "commands from a file"}}},
  };
}

std::vector<Verb> data_verbs() {
  return {
      {.name = "insert",
       .group = kData,
       .summary = "Insert rows from a file, a folder or standard input",
       .details =
           "A CSV file starts with a line of column names. A folder gives one row a file, in "
           "the table's media column. The format follows the name (.csv, .jsonl); on "
           "standard input, the first character.",
       .arguments = {kTable},
       .options = {{.name = "--from",
                    .value = "SOURCE",
                    .doc = "A CSV or JSON lines file, a folder of media, or - for standard input.",
                    .offer = Offer::kFile,
                    .required = true},
                   {.name = "--format",
                    .value = "FORMAT",
                    .doc = "csv or jsonl, when the name does not tell.",
                    .choices = "csv|jsonl"},
                   {.name = "--skip-bad-files",
                    .doc =
                        "Folders: leave out files that are not of the column's kind, naming them."},
                   kBudget,
                   kBackground},
       .examples = {{"coppice insert films.film --from films.csv", "rows of a CSV file"},
                    {"coppice insert photos --from ~/Pictures --skip-bad-files",
                     "every picture of a folder"}}},
      {.name = "export",
       .group = kData,
       .summary = "Write a table or the result of a query as CSV or JSON lines",
       .arguments = {{.name = "TABLE_OR_QUERY",
                      .doc = "A table, \"TABLE:VERSION\" or a SELECT.",
                      .offer = Offer::kTable}},
       .options = {{.name = "--format",
                    .value = "FORMAT",
                    .doc =
                        "csv or jsonl; without it the name of the output file decides, else csv.",
                    .choices = "csv|jsonl"},
                   kOutput},
       .examples = {{"coppice export films.film -o films.csv", "the current rows"},
                    {"coppice export 'SELECT id FROM films.film ORDER BY id' --format jsonl",
                     "the result of a query"}}},
      {.name = "ls",
       .group = kData,
       .summary = "List tables and views",
       .arguments = {{.name = "SCHEMA", .doc = "Only this schema.", .required = false}},
       .examples = {{"coppice ls", "everything"}, {"coppice ls films --json", "one schema"}}},
      {.name = "describe",
       .group = kData,
       .summary = "Show the columns and indexes of a table or view",
       .arguments = {kTable},
       .examples = {{"coppice describe films.film", ""}}},
  };
}

std::vector<Verb> schema_verbs() {
  return {
      {.name = "apply",
       .group = kSchema,
       .summary = "Make the schema what a file says",
       .details = "Compares the file with what is there, prints the plan and does it, all or "
                  "nothing; doing it again changes nothing. What the file does not name stays, "
                  "unless --prune is given.",
       .arguments = {{.name = "FILE",
                      .doc = "CREATE statements; - is standard input.",
                      .offer = Offer::kFile}},
       .options = {{.name = "--prune", .doc = "Drop what the file does not name."},
                   kBudget,
                   kDryRun,
                   kYes},
       .examples = {{"coppice apply schema.sql --dry-run", "only the plan"},
                    {"coppice apply schema.sql --prune --yes",
                     "drop what is not in the file, too"}}},
      {.name = "schema dump",
       .group = kSchema,
       .summary = "Write the schema as a file that apply understands",
       .options = {kOutput},
       .examples = {{"coppice schema dump -o schema.sql", ""}}},
      {.name = "schema diff",
       .group = kSchema,
       .summary = "Show what apply would do",
       .arguments = {{.name = "FILE",
                      .doc = "CREATE statements; - is standard input.",
                      .offer = Offer::kFile}},
       .options = {{.name = "--prune", .doc = "Include the drops that apply --prune would do."}},
       .examples = {{"coppice schema diff schema.sql", ""}}},
  };
}

std::vector<Verb> version_verbs() {
  const Argument name = {.name = "NAME", .doc = "The snapshot's name."};
  Argument any_table = kTable;
  any_table.required = false;
  return {
      {.name = "history",
       .group = kVersions,
       .summary = "Show the versions of a table: when, who, what",
       .arguments = {kTable},
       .examples = {{"coppice history films.film", ""},
                    {"coppice history films.film --json | tail -1", "the newest version"}}},
      {.name = "diff",
       .group = kVersions,
       .summary = "Compare two versions of a table",
       .arguments = {kTable,
                     {.name = "A", .doc = "The older version: a number, a time or a snapshot."},
                     {.name = "B", .doc = "The newer version."}},
       .options = {{.name = "--schema", .doc = "Compare the columns only."}},
       .examples = {{"coppice diff films.film 3 5", "rows that came, went or changed"},
                    {"coppice diff films.film 3 5 --schema", "columns"}}},
      {.name = "revert",
       .group = kVersions,
       .summary = "Give a table the rows of an older version, as a new version",
       .details = "Nothing is lost: the versions between stay and can be reverted to.",
       .arguments = {kTable},
       .options = {{.name = "--to",
                    .value = "VERSION",
                    .doc = "The version whose rows come back.",
                    .required = true},
                   kDryRun,
                   kYes},
       .examples = {{"coppice revert films.film --to 3 --dry-run", "how many rows would change"},
                    {"coppice revert films.film --to 3 --yes", ""}}},
      {.name = "snapshot create",
       .group = kVersions,
       .summary = "Give the current version of a table a name that keeps it",
       .arguments = {kTable, name},
       .examples = {{"coppice snapshot create films.film before_cleanup", ""}}},
      {.name = "snapshot drop",
       .group = kVersions,
       .summary = "Remove a snapshot's name; prune may then remove its version",
       .arguments = {kTable, name},
       .options = {kDryRun, kYes},
       .examples = {{"coppice snapshot drop films.film before_cleanup", ""}}},
      {.name = "snapshot list",
       .group = kVersions,
       .summary = "List snapshots",
       .arguments = {any_table},
       .examples = {{"coppice snapshot list", ""}}},
      {.name = "prune",
       .group = kVersions,
       .summary = "Remove old versions for good",
       .details =
           "Without --keep the table's own retention holds, else the setting retention.keep. "
           "Snapshots keep their versions.",
       .arguments = {kTable},
       .options = {{.name = "--keep",
                    .value = "WHAT",
                    .doc = "A number of versions (\"10\") or an age (\"30 days\")."},
                   kDryRun,
                   kYes},
       .examples = {{"coppice prune films.film --keep 10 --dry-run", "what would go"},
                    {"coppice prune films.film --keep '30 days' --yes", ""}}},
  };
}

std::vector<Verb> computed_verbs() {
  Argument any_table = kTable;
  any_table.required = false;
  const Argument job = {.name = "ID", .doc = "The job, as `coppice jobs` lists it."};
  return {
      {.name = "lineage",
       .group = kComputed,
       .summary = "Show what a table or column is made from, and what is made from it",
       .arguments = {{.name = "TABLE_OR_COLUMN",
                      .doc = "A table, or TABLE.COLUMN.",
                      .offer = Offer::kTable}},
       .options = {{.name = "--format",
                    .value = "FORMAT",
                    .doc = "text, json or dot; dot is what Graphviz reads.",
                    .choices = "text|json|dot"}},
       .examples = {{"coppice lineage films.film.poster", ""},
                    {"coppice lineage films.film --format dot | dot -Tsvg > film.svg",
                     "a picture"}}},
      {.name = "errors",
       .group = kComputed,
       .summary = "List cells that could not be computed",
       .arguments = {any_table},
       .examples = {{"coppice errors films.film", ""}}},
      {.name = "recompute",
       .group = kComputed,
       .summary = "Compute cells again",
       .arguments = {kTable,
                     {.name = "COLUMN",
                      .doc = "Computed columns; none: all.",
                      .required = false,
                      .repeated = true}},
       .options = {{.name = "--where",
                    .value = "CONDITION",
                    .doc = "Only rows for which it holds."},
                   {.name = "--errors", .doc = "Only cells that failed."},
                   kBudget,
                   kBackground},
       .examples = {{"coppice recompute films.film poster --errors", "try the failed ones again"},
                    {"coppice recompute films.film seconds --where 'id < 100'", ""}}},
      {.name = "alter-column",
       .group = kComputed,
       .summary = "Change the expression of a computed column",
       .details = "Existing rows are computed with the new expression; older versions keep the old "
                  "values.",
       .arguments = {{.name = "TABLE.COLUMN", .doc = "The column.", .offer = Offer::kTable},
                     {.name = "EXPRESSION", .doc = "The new expression."}},
       .options = {kBudget, kBackground},
       .examples = {{"coppice alter-column films.film.poster 'resize(frame_at(clip, 2.0), 640)'",
                     ""}}},
      {.name = "jobs list",
       .group = kComputed,
       .summary = "List operations that run, wait or went wrong, and how fast they are",
       .options = {{.name = "--all", .doc = "Finished ones too."}},
       .examples = {{"coppice jobs", ""}, {"coppice jobs list --all", ""}}},
      {.name = "jobs show",
       .group = kComputed,
       .summary = "Tell all about one operation, also while it runs",
       .arguments = {job},
       .examples = {{"coppice jobs show 12-5", ""},
                    {"coppice jobs show 12-5 --json | jq .seconds_left", "how long it may take"}}},
      {.name = "jobs wait",
       .group = kComputed,
       .summary = "Wait until an operation is done, and end as it does",
       .details = "The exit code is 0 when it was done, 3 when it was paused, 130 when it was "
                  "cancelled or interrupted, else 1.",
       .arguments = {job},
       .options = {{.name = "--timeout",
                    .value = "SECONDS",
                    .doc = "Give up waiting after so long, with exit code 1."}},
       .examples = {{"coppice jobs wait 12-5", ""},
                    {"coppice jobs wait \"$(coppice sql --background -f fill.sql)\" --timeout 600",
                     "start a job and wait for it"}}},
      {.name = "jobs work",
       .group = kComputed,
       .summary = "Help another process with a fill until it is done",
       .details =
           "Each process claims rows and computes them; what one that ends has claimed passes "
           "on to the others. Whoever is last publishes.",
       .arguments = {job},
       .examples = {{"coppice jobs work 12-5",
                     "in as many terminals as there are cores to spare"}}},
      {.name = "jobs pause",
       .group = kComputed,
       .summary = "Stop an operation that runs, and keep what it has done",
       .details =
           "Whichever process of the home runs it. jobs resume goes on with it; nothing else "
           "does.",
       .arguments = {job},
       .examples = {{"coppice jobs pause 12-5", ""}}},
      {.name = "jobs cancel",
       .group = kComputed,
       .summary = "End an operation that runs or waits, and take back what it has done",
       .details = "Whichever process of the home runs it. Kept results of functions stay.",
       .arguments = {job},
       .options = {kYes},
       .examples = {{"coppice jobs cancel 12-5 --yes", ""}}},
      {.name = "jobs resume",
       .group = kComputed,
       .summary = "Go on with an operation that was interrupted or paused",
       .arguments = {{.name = "ID",
                      .doc = "The job, as `coppice jobs` lists it.",
                      .required = false}},
       .options = {{.name = "--all",
                    .doc = "Background jobs and fills that have lost their process; not what was "
                           "paused, nor what ran in the foreground."},
                   kBudget,
                   kBackground},
       .examples = {{"coppice jobs resume 12-5", ""},
                    {"coppice jobs resume 12-5 --budget 20", "one that had spent its budget"}}},
      {.name = "jobs discard",
       .group = kComputed,
       .summary = "Give up an interrupted operation and what it has staged",
       .arguments = {job},
       .options = {kDryRun, kYes},
       .examples = {{"coppice jobs discard 12-5 --dry-run", "what it is"},
                    {"coppice jobs discard 12-5 --yes", ""}}},
      {.name = "functions",
       .group = kComputed,
       .summary = "List the engine functions that SQL may call",
       .examples = {{"coppice functions", ""}, {"coppice functions --json", "with every detail"}}},
      {.name = "estimate",
       .group = kComputed,
       .summary = "Say what a statement would cost and how long it would take",
       .details =
           "Runs some of its rows, taken from all over, and stores none of them. What their calls "
           "gave is kept, so that the statement does not make them again. Takes INSERT, UPDATE, "
           "CREATE TABLE AS, CREATE MATERIALIZED VIEW, and ALTER TABLE with one ADD COLUMN or "
           "ALTER COLUMN … TYPE.",
       .arguments = {{.name = "SQL", .doc = "The statement.", .required = false}},
       .options = {{.name = "--sample",
                    .value = "ROWS",
                    .doc = "How many rows to run; 20 when it is not said."},
                   {.name = "--file",
                    .short_name = "-f",
                    .value = "FILE",
                    .doc = "Read the statement from FILE; - is standard input.",
                    .offer = Offer::kFile},
                   {.name = "--param",
                    .short_name = "-p",
                    .value = "NAME=VALUE",
                    .doc = "A value for $NAME in the text, bound and never spliced in.",
                    .repeated = true},
                   kBudget},
       .examples = {{"coppice estimate \"ALTER TABLE films.film ADD COLUMN caption text "
                     "GENERATED ALWAYS AS (caption(poster)) STORED\"",
                     "before the column is added"},
                    {"coppice estimate --sample 100 -f view.sql --json", "more rows, as JSON"}}},
      {.name = "spending",
       .group = kComputed,
       .summary = "Show what calls of your functions have cost",
       .details = "Calls, tokens, money and time, by the prices that the functions had then. The "
                  "time is that of all calls, each by itself.",
       .options = {{.name = "--by",
                    .value = "WHAT",
                    .doc = "function, operation or day; without it, function.",
                    .choices = "function|operation|day"}},
       .examples = {{"coppice spending", "by function"},
                    {"coppice spending --by operation --json", ""}}},
      {.name = "results list",
       .group = kComputed,
       .summary = "Show the kept results of your functions, and what they saved",
       .details = "What a function gave that is not VOLATILE is kept, and no call is made twice.",
       .examples = {{"coppice results", ""}}},
      {.name = "results prune",
       .group = kComputed,
       .summary = "Remove kept results; their calls are made again when they are wanted",
       .details = "Only results that meet all of what is said go.",
       .options = {{.name = "--stale", .doc = "Of functions that were replaced or dropped."},
                   {.name = "--unused-for",
                    .value = "AGE",
                    .doc = "Not used for so long (\"30 days\")."},
                   {.name = "--function", .value = "NAME", .doc = "Of this function."},
                   {.name = "--all", .doc = "Whatever they are of."},
                   kDryRun,
                   kYes},
       .examples = {{"coppice results prune --stale --dry-run", "what would go"},
                    {"coppice results prune --unused-for '30 days' --yes", ""}}},
  };
}

std::vector<Verb> media_verbs() {
  const Argument value = {.name = "VALUE", .doc = "A media value (media:…) or TABLE.COLUMN."};
  return {
      {.name = "media path",
       .group = kMedia,
       .summary = "Print the files behind media values",
       .arguments = {value},
       .examples = {{"coppice media path films.film.poster", "every file of a column"},
                    {"xdg-open \"$(coppice media path media:9f86….jpg)\"", "open one"}}},
      {.name = "media cat",
       .group = kMedia,
       .summary = "Write the bytes of a media value to standard output",
       .arguments = {{.name = "VALUE", .doc = "A media value (media:…)."}},
       .examples = {{"coppice media cat media:9f86….jpg > poster.jpg", ""}}},
      {.name = "media export",
       .group = kMedia,
       .summary = "Copy media into a folder",
       .arguments = {value,
                     {.name = "FOLDER", .doc = "Made when missing.", .offer = Offer::kFolder}},
       .examples = {{"coppice media export films.film.poster posters/", ""}}},
      {.name = "media gc",
       .group = kMedia,
       .summary = "Remove media that no kept version refers to",
       .options = {kDryRun, kYes},
       .examples = {{"coppice media gc --dry-run", "how much would be freed"}}},
  };
}

std::vector<Verb> care_verbs() {
  return {
      {.name = "status",
       .group = kCare,
       .summary = "Show the home, its database and what it holds",
       .examples = {{"coppice status", ""},
                    {"psql \"$(coppice status --json | jq -r .database_url)\"",
                     "read the tables with another tool"}}},
      {.name = "doctor",
       .group = kCare,
       .summary = "Check the deployment and explain each finding",
       .details = "Exit code 1 when a check fails.",
       .options = {{.name = "--config",
                    .doc =
                        "Print every setting, its value, where it comes from; passwords masked."}},
       .examples = {{"coppice doctor", ""}, {"coppice doctor --config", ""}}},
      {.name = "stop",
       .group = kCare,
       .summary = "Stop the private database server; the next command starts it again",
       .examples = {{"coppice stop", ""}}},
      {.name = "version",
       .group = kCare,
       .summary = "Print the version of the program",
       .examples = {{"coppice version", ""}}},
      {.name = "help",
       .group = kCare,
       .summary = "Explain a command",
       .arguments = {{.name = "COMMAND",
                      .doc = "One or two words.",
                      .required = false,
                      .repeated = true,
                      .offer = Offer::kVerb}},
       .examples = {{"coppice help snapshot create", ""}}},
      {.name = "debug crash-points",
       .group = kCare,
       .summary = "List the places where COPPICE_CRASH_AT ends the process, when COPPICE_TEST=1",
       .examples = {{"coppice debug crash-points", ""}},
       .hidden = true},
      {.name = "debug man",
       .group = kCare,
       .summary = "Print the man page",
       .examples = {{"coppice debug man | man -l -", ""}},
       .hidden = true},
      {.name = "debug completion",
       .group = kCare,
       .summary = "Print a completion script",
       .arguments = {{.name = "SHELL", .doc = "bash, zsh or fish.", .choices = "bash|zsh|fish"}},
       .examples = {{"source <(coppice debug completion bash)", ""}},
       .hidden = true},
      {.name = "debug table-names",
       .group = kCare,
       .summary = "Print the names of tables and views, one a line, for completion",
       .examples = {{"coppice debug table-names", ""}},
       .hidden = true},
  };
}

std::vector<Verb> all_verbs() {
  std::vector<Verb> all;
  for (auto make : {start_verbs, data_verbs, schema_verbs, version_verbs, computed_verbs,
                    media_verbs, care_verbs}) {
    for (Verb& verb : make()) all.push_back(std::move(verb));
  }
  return all;
}

constexpr Option kCommonOptions[] = {
    {.name = "--home",
     .value = "FOLDER",
     .doc = "The home to use (environment: COPPICE_HOME).",
     .offer = Offer::kFolder},
    {.name = "--database",
     .value = "URL",
     .doc = "An existing PostgreSQL to use (environment: COPPICE_DATABASE_URL)."},
    {.name = "--json",
     .doc = "Rows as one JSON object a line; messages as JSON on standard error."},
    {.name = "--csv", .doc = "Rows as CSV with one header line; NULL is an empty field."},
    {.name = "--quiet", .short_name = "-q", .doc = "Rows and errors only."},
    {.name = "--progress",
     .doc = "Progress as JSON lines on standard error when that is no terminal."},
    {.name = "--help", .short_name = "-h", .doc = "Explain the command."},
};

}  // namespace

std::span<const Verb> verbs() {
  static const std::vector<Verb> table = all_verbs();
  return table;
}

std::span<const Option> common_options() { return kCommonOptions; }

const Verb* find_verb(std::string_view name) {
  const auto found = std::find_if(verbs().begin(), verbs().end(),
                                  [&](const Verb& verb) { return verb.name == name; });
  return found == verbs().end() ? nullptr : &*found;
}

std::string_view default_verb(std::string_view first_word) {
  if (first_word == "jobs") return "jobs list";
  return first_word == "results" ? "results list" : std::string_view();
}

bool is_verb_group(std::string_view first_word) {
  return std::any_of(verbs().begin(), verbs().end(), [&](const Verb& verb) {
    return verb.name.starts_with(first_word) &&
           verb.name.substr(first_word.size()).starts_with(' ');
  });
}

}  // namespace coppice::cli
