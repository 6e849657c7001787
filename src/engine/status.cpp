#include "engine/status.h"

#include "config/config.h"
#include "config/version.h"
#include "engine/backup_status.h"
#include "engine/function_code.h"
#include "engine/migrations.h"
#include "engine/row_counts.h"
#include "engine/spending_list.h"
#include "pg/conninfo.h"
#include "pg/private_server.h"

namespace coppice::engine {
namespace {

constexpr std::int64_t kCountedBytes = 1 << 20;

// Where other programs read: as the restricted role.
std::string reader_url(EngineContext& context) {
  if (context.address.private_server) {
    pg::PrivateServerOptions options;
    options.home = context.config.home();
    return pg::PrivateServer(std::move(options)).url(std::string(kReaderRole));
  }
  const std::string url = pg::without_password(context.address.reader_conninfo);
  if (!context.address.reader_role) return url;
  const std::string setting = "-c role=" + *context.address.reader_role;
  const bool is_url = url.starts_with("postgresql://") || url.starts_with("postgres://");
  if (!is_url || url.find("options=") != std::string::npos) {
    return pg::with_options(url, {{"options", setting}});
  }
  const char separator = url.find('?') == std::string::npos ? '?' : '&';
  return url + separator + "options=-c%20role%3D" + *context.address.reader_role;
}

}  // namespace

StatusReport make_status(EngineContext& context) {
  context.log.settle_abandoned();
  const pg::Result row = context.main.exec(
      "SELECT current_setting('server_version'), (SELECT count(*) FROM coppice.tables), "
      "m.objects, m.size_bytes, pg_database_size(current_database()), o.running, o.interrupted "
      "FROM (SELECT count(*) AS objects, coalesce(sum(size_bytes), 0) AS size_bytes "
      "FROM coppice.media) m, (SELECT count(*) FILTER (WHERE state = 'running') AS running, "
      "count(*) FILTER (WHERE state = 'interrupted') AS interrupted FROM coppice.operations "
      "WHERE state IN ('running', 'interrupted')) o");
  const auto number = [&](int column) {
    return static_cast<std::uint64_t>(row.integer(0, column));
  };
  StatusReport report;
  report.home = context.config.home().string();
  report.database_url = reader_url(context);
  report.version = program_version();
  report.server_version = row.text(0, 0);
  report.private_server = context.address.private_server;
  report.tables = number(1);
  report.media_objects = number(2);
  report.media_bytes = number(3);
  report.database_bytes = number(4);
  report.running_operations = number(5);
  report.interrupted_operations = number(6);
  for (const UserFunction& function : context.user_functions.all()) {
    if (const auto changed = staleness(function)) {
      report.stale_functions.emplace_back(function.signature.id, *changed);
    }
  }
  const SpentByHome spent = spent_by_home(context);
  report.spent = spent.total.text();
  report.spent_today = spent.today.text();
  report.currency = context.spending().currency();
  report.budget_total = context.config.text("budget.total");
  report.budget_per_day = context.config.text("budget.per_day");
  report.backups = read_backup_status(context);
  for (const auto& [table, size] : stored_sizes(context, kCountedBytes)) {
    report.rows += static_cast<std::uint64_t>(size.rows);
  }
  return report;
}

}  // namespace coppice::engine
