#include "engine/job.h"

#include <fmt/core.h>

#include <charconv>

namespace coppice::engine {
namespace {

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

JobId parse_job_id(const std::string& text) {
  const std::size_t dash = text.find('-');
  if (dash != std::string::npos) {
    const auto tree = number(std::string_view(text).substr(0, dash));
    const auto operation = number(std::string_view(text).substr(dash + 1));
    if (tree && operation) return {*tree, *operation};
  }
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no job", text),
              "a job is called like 12-5; see: coppice jobs");
}

Job find_job(EngineContext& context, const std::string& text) {
  Job job;
  job.id = parse_job_id(text);
  context.log.settle_abandoned();
  const pg::Result row = context.main.exec_params(
      "SELECT state, kind, stage_name, coalesce(detail ? 'fill', false), "
      "coalesce(detail ? 'create_view', false), "
      "coalesce(detail ?| '{stage,create_view}', false) FROM coppice.operations "
      "WHERE tree_id = $1 AND op_id = $2",
      {std::to_string(job.id.tree), std::to_string(job.id.operation)});
  if (row.rows() == 0) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no job {}", text),
                "see: coppice jobs list --all");
  }
  job.state = row.text(0, 0);
  job.kind = row.text(0, 1);
  if (!row.is_null(0, 2)) job.stage_name = std::string(row.text(0, 2));
  job.is_fill = row.boolean(0, 3);
  job.makes_view = row.boolean(0, 4);
  job.is_staged = row.boolean(0, 5);
  return job;
}

void throw_job_is_over(const Job& job, const std::string& id, const std::string& what_then) {
  throw Error(ErrorCode::kRefused, fmt::format("job {} is over ({}){}", id, job.state, what_then));
}

}  // namespace coppice::engine
