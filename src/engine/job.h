// Job: an operation as the job verbs see it, by its id.
//
// Errors   kUsage for what is no id, kNotFound for an id nobody has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/context.h"

namespace coppice::engine {

struct JobId {
  std::int64_t tree = 0;
  std::int64_t operation = 0;
};
JobId parse_job_id(const std::string& text);  // "12-5"

struct Job {
  JobId id;
  std::string kind;
  std::string state;
  bool is_fill = false;
  bool makes_view = false;
  bool is_staged = false;  // its rows are all in its stage
  std::optional<std::string> stage_name;

  bool waits() const { return state == "interrupted" || state == "paused"; }
  bool runs() const { return state == "running"; }
  // Not one transaction: it has something to go on with, or will have.
  bool has_steps() const { return is_fill || makes_view || (stage_name && kind != "revert"); }
};

// Operations whose process is gone are settled first.
Job find_job(EngineContext& context, const std::string& id);

[[noreturn]] void throw_job_is_over(const Job& job, const std::string& id,
                                    const std::string& what_then);

}  // namespace coppice::engine
