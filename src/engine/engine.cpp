#include "engine/engine.h"

#include <utility>

#include "config/config.h"
#include "engine/alter_table.h"
#include "engine/background.h"
#include "engine/bulk_insert.h"
#include "engine/complete.h"
#include "engine/describe.h"
#include "engine/diff.h"
#include "engine/estimate.h"
#include "engine/fill.h"
#include "engine/function_list.h"
#include "engine/history.h"
#include "engine/job_requests.h"
#include "engine/jobs.h"
#include "engine/kept_results.h"
#include "engine/lineage.h"
#include "engine/media_verbs.h"
#include "engine/open_home.h"
#include "engine/prune.h"
#include "engine/query.h"
#include "engine/recompute.h"
#include "engine/revert.h"
#include "engine/root.h"
#include "engine/run_sql.h"
#include "engine/schema_apply.h"
#include "engine/schema_dump.h"
#include "engine/snapshots.h"
#include "engine/spending_list.h"
#include "engine/status.h"
#include "sql/split.h"

namespace coppice {
namespace {

using engine::EngineContext;

// The verbs of one open home; each is a function over the context.
class HomeEngine final : public Engine {
 public:
  explicit HomeEngine(std::unique_ptr<EngineContext> context) : context_(std::move(context)) {}

  void sql(std::string_view script, const SqlParameters& parameters, ResultSink& sink) override {
    engine::run_script(begin_work(sink), script, parameters, sink);
  }
  bool is_incomplete(std::string_view text) override { return sql::is_incomplete(text); }
  std::vector<std::string> complete(std::string_view text) override {
    return engine::complete_text(begin(), text);
  }
  void apply(std::string_view schema_sql, bool prune, bool dry_run, ResultSink& sink) override {
    engine::apply_schema(begin_work(sink), schema_sql, prune, dry_run, sink);
  }
  std::string schema_dump() override { return engine::dump_schema(begin()); }
  void schema_diff(std::string_view schema_sql, bool prune, ResultSink& sink) override {
    engine::show_schema_diff(begin(), schema_sql, prune, sink);
  }
  void insert(const std::string& table, const InsertOptions& options, ResultSink& sink) override {
    engine::bulk_insert(begin_work(sink), table, options, sink);
  }
  void export_rows(const std::string& table_or_query, ResultSink& sink) override {
    engine::export_rows(begin(), table_or_query, sink);
  }
  void ls(const std::optional<std::string>& schema, ResultSink& sink) override {
    engine::list_objects(begin(), schema, sink);
  }
  void describe(const std::string& table, ResultSink& sink) override {
    engine::describe_table(begin(), table, sink);
  }
  void history(const std::string& table, ResultSink& sink) override {
    engine::show_history(begin(), table, sink);
  }
  void diff(const std::string& table, const std::string& from, const std::string& to,
            bool schema_only, ResultSink& sink) override {
    engine::show_diff(begin(), table, from, to, schema_only, sink);
  }
  void revert(const std::string& table, const std::string& to, bool dry_run,
              ResultSink& sink) override {
    engine::run_revert(begin(), table, to, dry_run, sink);
  }
  void snapshot_create(const std::string& table, const std::string& name,
                       ResultSink& sink) override {
    engine::create_snapshot(begin(), table, name, sink);
  }
  void snapshot_drop(const std::string& table, const std::string& name, ResultSink& sink) override {
    engine::drop_snapshot(begin(), table, name, sink);
  }
  void snapshot_list(const std::optional<std::string>& table, ResultSink& sink) override {
    engine::list_snapshots(begin(), table, sink);
  }
  void prune(const std::string& table, const std::optional<std::string>& keep, bool dry_run,
             ResultSink& sink) override {
    engine::run_prune(begin(), table, keep, dry_run, sink);
  }
  void lineage(const std::string& table_or_column, LineageFormat format,
               ResultSink& sink) override {
    engine::show_lineage(begin(), table_or_column, format, sink);
  }
  void errors(const std::optional<std::string>& table, ResultSink& sink) override {
    engine::show_errors(begin(), table, sink);
  }
  void recompute(const std::string& table, const std::vector<std::string>& columns,
                 const std::optional<std::string>& where, bool errors_only,
                 ResultSink& sink) override {
    engine::run_recompute(begin(), table, columns, where, errors_only, sink);
  }
  void alter_column(const std::string& column, const std::string& expression,
                    ResultSink& sink) override {
    engine::alter_column(begin(), column, expression, sink);
  }
  void jobs(bool all, ResultSink& sink) override { engine::list_jobs(begin(), all, sink); }
  void wait_for_job(const std::string& id, std::optional<double> seconds,
                    ResultSink& sink) override {
    engine::wait_for_job(begin(), id, seconds, sink);
  }
  void resume_all(ResultSink& sink) override { begin_work(sink); }
  void run_in_background(BackgroundCommand command) override {
    looked_for_fills_ = true;  // they are others' business
    engine::run_in_background(begin(), std::move(command));
  }
  std::vector<JobToStart> jobs_to_start() override { return engine::jobs_to_start(begin()); }
  void job(JobAction action, const std::string& id, ResultSink& sink) override {
    switch (action) {
      case JobAction::kShow:
        return engine::show_job(begin(), id, sink);
      case JobAction::kResume:
        return engine::resume_job(begin(), id, sink);
      case JobAction::kWork:
        return engine::work_on_job(begin(), id, sink);
      case JobAction::kPause:
        return engine::pause_job(begin(), id, sink);
      case JobAction::kCancel:
        return engine::cancel_job(begin(), id, sink);
      case JobAction::kDiscard:
        return engine::discard_job(begin(), id, sink);
    }
  }
  void functions(ResultSink& sink) override { engine::list_functions(begin(), sink); }
  void spending(const std::string& by, ResultSink& sink) override {
    engine::list_spending(begin(), by, sink);
  }
  void set_budget(const std::optional<std::string>& amount) override {
    budget_ = amount ? std::optional(engine::budget_amount(*amount)) : std::nullopt;
    context_->spending().limit_statements(budget_);
  }
  void estimate(std::string_view statement, const SqlParameters& parameters,
                std::int64_t sample_rows, ResultSink& sink) override {
    engine::estimate_text(begin(), statement, parameters, sample_rows, sink);
  }
  void results(ResultSink& sink) override { engine::list_results(begin(), sink); }
  void results_prune(const ResultsToPrune& which, bool dry_run, ResultSink& sink) override {
    engine::prune_results(begin(), which, dry_run, sink);
  }
  void media_path(const std::string& value_or_column, ResultSink& sink) override {
    engine::show_media_path(begin(), value_or_column, sink);
  }
  void media_cat(const std::string& value, int output_fd) override {
    engine::write_media(begin(), value, output_fd);
  }
  void media_export(const std::string& value_or_column, const std::filesystem::path& folder,
                    ResultSink& sink) override {
    engine::export_media(begin(), value_or_column, folder, sink);
  }
  void media_gc(bool dry_run, ResultSink& sink) override {
    engine::collect_media(begin(), dry_run, sink);
  }
  RootReport root(const RootRequest& request, ResultSink& sink) override {
    return engine::make_root(begin(), request, sink);
  }
  StatusReport status() override { return engine::make_status(begin()); }
  std::vector<Finding> doctor() override { return engine::run_doctor(begin()); }

  void request_stop() override { context_->request_stop(); }

 private:
  // A stop that was asked for ended the verb that ran then, not the next one.
  EngineContext& begin() {
    if (context_->stop.stop_requested()) context_->stop = std::stop_source();
    context_->refresh_functions();
    return *context_;
  }

  // Fills go on by themselves: the next process that works in the home takes up those whose
  // process died. Looked for once an engine, and not by what only looks at them.
  EngineContext& begin_work(ResultSink& sink) {
    EngineContext& context = begin();
    if (!std::exchange(looked_for_fills_, true)) {
      context.log.settle_abandoned();
      context.spending().limit_statements(std::nullopt);  // they have budgets of their own
      engine::resume_fills(context, sink);
      context.spending().limit_statements(budget_);
    }
    return context;
  }

  std::unique_ptr<EngineContext> context_;
  bool looked_for_fills_ = false;
  std::optional<Money> budget_;
};

}  // namespace

void Engine::init(const Config& config, ResultSink& sink) {
  if (!engine::make_home(config, sink)) {
    sink.notice("the home " + config.home().string() + " is there already and was left as it is");
  }
}

std::unique_ptr<Engine> Engine::open(const Config& config) {
  engine::check_restored(config);
  return std::make_unique<HomeEngine>(engine::open_home(config));
}

bool Engine::stop_server(const Config& config) { return engine::stop_home(config); }

}  // namespace coppice
