#include "recovery/due_note.h"

#include <fmt/core.h>

#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "recovery/scheduled_tasks.h"

namespace coppice::recovery {
namespace {

std::filesystem::path note_file(const Config& config) { return config.home() / "schedule.next"; }

// Of what says when something is due.
std::string settings_digest(const Config& config) {
  std::string text = config.text("schedule.timezone") + '\n';
  for (const ScheduledTask& task : scheduled_tasks(config)) {
    text += task.name + ' ' + task.calendar + '\n';
  }
  return to_hex(sha256(text));
}

}  // namespace

std::optional<DueNote> read_due_note(const Config& config, std::int64_t now_s) {
  DueNote note;
  std::string digest;
  std::int64_t made_s = 0;
  try {
    std::istringstream words(read_file(note_file(config)));
    if (!(words >> made_s >> note.at_s >> note.task >> digest)) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
  const bool holds = digest == settings_digest(config) && made_s <= now_s && now_s < note.at_s;
  return holds ? std::optional(note) : std::nullopt;
}

void write_due_note(const Config& config, const DueNote& note, std::int64_t now_s) {
  write_file_atomically(note_file(config), fmt::format("{} {} {} {}\n", now_s, note.at_s, note.task,
                                                       settings_digest(config)));
}

void remove_due_note(const Config& config) {
  std::error_code error;
  std::filesystem::remove(note_file(config), error);
  if (!error) return;
  throw Error(ErrorCode::kIo,
              fmt::format("cannot remove {}: {}", note_file(config).string(), error.message()));
}

}  // namespace coppice::recovery
