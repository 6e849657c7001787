#include "cli/verbs.h"

#include <algorithm>

#include "cli/verb_rows.h"

namespace coppice::cli {
namespace {

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
       .summary = "Remove media and function code that nothing refers to",
       .options = {kDryRun, kYes},
       .examples = {{"coppice media gc --dry-run", "how much would be freed"}}},
  };
}

std::vector<Verb> care_verbs() {
  return {
      {.name = "status",
       .group = kCare,
       .summary = "Show the home, its database, what it holds, and the ages of backups",
       .details =
           "Exit code 1 when an objective of the settings is missed: objectives.backup_every, "
           "objectives.rpo, objectives.drill_every. No repository is asked.",
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
      {.name = "root",
       .group = kCare,
       .summary = "Print what stands for the content: equal roots mean equal content",
       .details =
           "64 hexadecimal digits. Sums are kept between two calls, so that a call costs what has "
           "changed; --rows trusts the rows alone. With --json also the root of each table and "
           "column. With --backup: those of the home that was backed up, from the repository "
           "alone.",
       .options = with_repository(
           {{.name = "--table",
             .value = "TABLE",
             .doc = "Of this table or materialized view alone.",
             .offer = Offer::kTable},
            {.name = "--column", .value = "COLUMN", .doc = "With --table: of this column alone."},
            {.name = "--rows",
             .doc = "Make it of the rows alone; exit code 6 where kept sums differ."},
            {.name = "--accept",
             .doc = "With --rows: keep the sums of the rows in place of those that differ."},
            {.name = "--history",
             .doc = "Of all versions of the rows and the operations that made them, too."},
            {.name = "--backup",
             .value = "BACKUP",
             .doc = "Of this backup of the repository: its id, or latest."}}),
       .examples = {{"coppice root", "of the home"},
                    {"coppice root --table films.film --rows", "of a table, from its rows"},
                    {"coppice root --backup latest --repo /backup/films",
                     "what a restore will be compared with"}}},
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
                    media_verbs, backup_verbs, copy_verbs, restore_verbs, drill_verbs, key_verbs,
                    schedule_verbs, care_verbs}) {
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
  if (first_word == "drill") return "drill run";
  if (first_word == "schedule") return "schedule show";
  return first_word == "results" ? "results list" : std::string_view();
}

bool is_verb_group(std::string_view first_word) {
  return std::any_of(verbs().begin(), verbs().end(), [&](const Verb& verb) {
    return verb.name.starts_with(first_word) &&
           verb.name.substr(first_word.size()).starts_with(' ');
  });
}

}  // namespace coppice::cli
