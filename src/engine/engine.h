// Engine: Coppice itself, as the command line and the server see it.
//
// Model    An Engine is one open home: its database, media store and function workers. Every verb
//          of the product is a method; rows and progress go to a ResultSink. Table names are as
//          users write them ("films.film", "film", "\"Odd Name\"").
// Threads  An Engine belongs to one thread at a time; open several for parallel work, in one
//          process or in many. request_stop() may be called from any thread or signal handler.
// Errors   Error, typed by its code. After an error the engine is usable; a verb that failed has
//          changed nothing, or its message says what was done.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/result_sink.h"

namespace coppice {

class Config;  // config/config.h

struct TableOptions {
  std::string table;
};

// Named parameters of `sql -p name=value`: bound where the text says $name, never spliced.
using SqlParameters = std::map<std::string, std::string>;

enum class InsertFormat { kCsv, kJsonl, kFolder };
enum class LineageFormat { kText, kJson, kDot };
enum class JobAction { kShow, kResume, kWork, kPause, kCancel, kDiscard };

struct InsertOptions {
  InsertFormat format = InsertFormat::kCsv;
  std::filesystem::path folder;   // kFolder: one row a file, into the table's media column
  std::istream* input = nullptr;  // kCsv, kJsonl
  std::string input_name;         // for messages: "films.csv", "standard input"
  bool ignore_errors = false;  // kFolder: skip files that are not of the column's kind, naming them
};

// What the home knows by itself of its backups and drills; no repository is asked. Ages are in
// seconds, times in PostgreSQL's form.
struct BackupStatus {
  std::optional<std::string> backup_id, backup_at;  // of the last one
  std::optional<double> backup_age_s;
  std::optional<double> loss_window_s;  // what would be lost now; 0: nothing was published since
  std::optional<std::string> drill_at;  // of the last one
  std::optional<bool> drill_passed;
  std::optional<double> drill_age_s;  // of the last one that passed
  std::string failing_tasks;          // of the schedule: "backup: why"
  std::vector<std::string> missed;    // objectives, in words
};

struct StatusReport {
  std::string home;
  std::string database_url;  // the read-only role
  std::string version;       // of the program
  std::string server_version;
  bool private_server = true;
  std::uint64_t tables = 0;
  std::uint64_t rows = 0;
  std::uint64_t media_objects = 0;
  std::uint64_t media_bytes = 0;
  std::uint64_t database_bytes = 0;
  std::uint64_t running_operations = 0;
  std::uint64_t interrupted_operations = 0;
  // Of users' functions whose source is not what the home has: "public.caption(image)", and why.
  std::vector<std::pair<std::string, std::string>> stale_functions;
  // Of functions with a price, in `currency`: "12.5". No budget: "".
  std::string spent = "0", spent_today = "0", currency, budget_total, budget_per_day;
  BackupStatus backups;
};

struct Finding {
  enum class Level { kOk, kWarning, kError } level = Level::kOk;
  std::string check;   // "checksums", "worker sandbox", …
  std::string detail;  // what was found
  std::string fix;     // what to do, empty when ok
};

// Of durable results, those that meet all that is said.
struct ResultsToPrune {
  std::optional<std::string> function;    // "caption", "films.caption(image)"
  std::optional<std::string> unused_for;  // an age: "30 days"
  bool stale = false;                     // of functions that were dropped or replaced
  bool all = false;                       // nothing else need be said
};

struct RootRequest {
  std::optional<std::string> table;
  std::optional<std::string> column;  // of that table
  bool from_rows = false;             // made of the rows alone; what is kept is compared with it
  bool accept = false;                // with from_rows: what differs is kept from now on
  bool history = false;               // of all versions
};
// docs/formats/root.md. Roots are 64 hexadecimal digits.
struct RootReport {
  struct Column {
    std::string name;
    std::string root;
    std::string sum;  // digest of the sum over its cells
  };
  struct Table {
    std::string name;
    std::string root;
    std::int64_t version = 0;
    std::int64_t rows = 0;  // current ones; of a history: row versions
    std::int64_t current_rows = 0;
    std::vector<Column> columns;  // with a primary key
    std::string rows_sum;         // without one: digest of the sum over the rows
  };
  std::string root;          // of what was asked for
  std::string content_root;  // of a history: without it
  std::vector<Table> tables;
  std::uint64_t rows_read = 0;
  // "films.film.title": where the kept sums say something else than the rows.
  std::vector<std::string> differences;
};

// A background job, in the process that runs it.
struct BackgroundCommand {
  std::vector<std::string> words;
  std::string folder;
  std::optional<std::string> replaces;               // the job whose command is run anew
  std::function<void(const std::string& id)> begun;  // as which job
  std::function<void()> working;                     // a restart would go on with it
};
struct JobToStart {
  std::string id;
  std::vector<std::string> words;
  std::string folder;
  bool anew = false;  // run the command again; else: jobs resume ID
};

class Engine {
 public:
  // Makes the home and its database. An existing home is left as it is (a notice says so).
  static void init(const Config& config, ResultSink& sink);
  // Opens a home that exists; starts its private server when it is down.
  static std::unique_ptr<Engine> open(const Config& config);
  // Stops the private server. True when one was running.
  static bool stop_server(const Config& config);
  virtual ~Engine() = default;

  // Runs each statement of `script`; relative file names are under `folder` (default: the current
  // working directory). The first failure stops the call.
  virtual void sql(std::string_view script, const SqlParameters& parameters, ResultSink& sink) = 0;
  // True when `text` ends inside a statement (the shell then asks for another line).
  virtual bool is_incomplete(std::string_view text) = 0;
  // Names that may follow at the end of `text`: tables, columns, functions, keywords.
  virtual std::vector<std::string> complete(std::string_view text) = 0;

  virtual void apply(std::string_view schema_sql, bool prune, bool dry_run, ResultSink& sink) = 0;
  virtual std::string schema_dump() = 0;
  // What `apply` would do, as rows (action, object, sql).
  virtual void schema_diff(std::string_view schema_sql, bool prune, ResultSink& sink) = 0;
  virtual void insert(const std::string& table, const InsertOptions& options, ResultSink& sink) = 0;
  // Writes a table (with ":version" as in SQL) or a query as csv or jsonl rows to the sink.
  virtual void export_rows(const std::string& table_or_query, ResultSink& sink) = 0;

  virtual void ls(const std::optional<std::string>& schema, ResultSink& sink) = 0;
  virtual void describe(const std::string& table, ResultSink& sink) = 0;
  virtual void history(const std::string& table, ResultSink& sink) = 0;
  virtual void diff(const std::string& table, const std::string& from, const std::string& to,
                    bool schema_only, ResultSink& sink) = 0;
  virtual void revert(const std::string& table, const std::string& to, bool dry_run,
                      ResultSink& sink) = 0;
  virtual void snapshot_create(const std::string& table, const std::string& name,
                               ResultSink& sink) = 0;
  virtual void snapshot_drop(const std::string& table, const std::string& name,
                             ResultSink& sink) = 0;
  virtual void snapshot_list(const std::optional<std::string>& table, ResultSink& sink) = 0;
  // Removes versions older than what retention or `keep` (a count "10" or an age "7 days") says.
  virtual void prune(const std::string& table, const std::optional<std::string>& keep, bool dry_run,
                     ResultSink& sink) = 0;
  virtual void lineage(const std::string& table_or_column, LineageFormat format,
                       ResultSink& sink) = 0;
  virtual void errors(const std::optional<std::string>& table, ResultSink& sink) = 0;
  virtual void recompute(const std::string& table, const std::vector<std::string>& columns,
                         const std::optional<std::string>& where, bool errors_only,
                         ResultSink& sink) = 0;
  // `change` is what follows ALTER COLUMN c: a new expression, or options.
  virtual void alter_column(const std::string& column, const std::string& expression,
                            ResultSink& sink) = 0;
  virtual void jobs(bool all, ResultSink& sink) = 0;
  // Returns when the job is done, and throws what it ended with; kBusy after `seconds`.
  virtual void wait_for_job(const std::string& id, std::optional<double> seconds,
                            ResultSink& sink) = 0;
  // Fills that were interrupted go on, as before any statement.
  virtual void resume_all(ResultSink& sink) = 0;
  // This process runs a background job: the first operation that begins is it.
  virtual void run_in_background(BackgroundCommand command) = 0;
  // Background jobs whose process has ended, to be started again.
  virtual std::vector<JobToStart> jobs_to_start() = 0;
  virtual void job(JobAction action, const std::string& id, ResultSink& sink) = 0;
  virtual void functions(ResultSink& sink) = 0;
  // What calls of functions have cost, by "function", "operation" or "day".
  virtual void spending(const std::string& by, ResultSink& sink) = 0;
  // What each statement may cost that begins from now on: "12.50"; nullopt: as much as it does.
  virtual void set_budget(const std::optional<std::string>& amount) = 0;
  // What a statement would cost and how long it would take, from a run over some of its rows.
  virtual void estimate(std::string_view statement, const SqlParameters& parameters,
                        std::int64_t sample_rows, ResultSink& sink) = 0;
  virtual void results(ResultSink& sink) = 0;
  virtual void results_prune(const ResultsToPrune& which, bool dry_run, ResultSink& sink) = 0;

  virtual void media_path(const std::string& value_or_column, ResultSink& sink) = 0;
  virtual void media_cat(const std::string& value, int output_fd) = 0;
  virtual void media_export(const std::string& value_or_column, const std::filesystem::path& folder,
                            ResultSink& sink) = 0;
  virtual void media_gc(bool dry_run, ResultSink& sink) = 0;

  virtual RootReport root(const RootRequest& request, ResultSink& sink) = 0;
  virtual StatusReport status() = 0;
  virtual std::vector<Finding> doctor() = 0;

  // Ends the running verb with kInterrupted as soon as it is safe.
  virtual void request_stop() = 0;
};

}  // namespace coppice
