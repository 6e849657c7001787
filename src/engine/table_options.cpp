#include "engine/table_options.h"

#include <fmt/core.h>

#include "base/text.h"
#include "config/settings.h"

namespace coppice::engine {
namespace {

void require_known(const sql::Option& option, const sql::SourceText& source) {
  if (option.name == "retention") return;
  const std::vector<std::string> known = {"retention"};
  throw sql::error_at(ErrorCode::kNotFound, source, option.location,
                      fmt::format("unknown table option \"{}\"", option.name),
                      did_you_mean(option.name, known));
}

}  // namespace

std::string checked_retention(const sql::Option& option, const sql::SourceText& source) {
  require_known(option, source);
  if (option.value && is_retention(*option.value)) return *option.value;
  throw sql::error_at(ErrorCode::kSyntax, source, option.location,
                      fmt::format("retention cannot be '{}'", option.value.value_or("")),
                      "it is a number of versions ('10') or an age ('30 days')");
}

void set_retention(EngineContext& context, const sql::QualifiedName& name,
                   const std::optional<std::string>& retention) {
  const catalog::TablePointer table = context.catalog.table(name);
  context.main.exec_cached("UPDATE coppice.trees SET retention = $2 WHERE tree_id = $1",
                           {std::to_string(table->tree_id), retention});
}

void set_table_options(EngineContext& context, const catalog::TableInfo& table,
                       std::span<const sql::Option> options, bool reset,
                       const sql::SourceText& source) {
  for (const sql::Option& option : options) {
    require_known(option, source);
    const auto value =
        reset ? std::nullopt : std::optional<std::string>(checked_retention(option, source));
    set_retention(context, table.name, value);
  }
}

}  // namespace coppice::engine
