// A note of when the next task of a schedule is due, in a file of the home: so that a timer need
// not start a server to learn that nothing is.
//
// Model    The note holds for the settings and the clock that it was made with. It is removed
// before
//          anything is begun, and made again at the end: who died in between left none.
// Errors   kIo when it cannot be written. A note that cannot be read is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.h"

namespace coppice::recovery {

struct DueNote {
  std::int64_t at_s = 0;
  std::string task;
};

// nullopt when there is none that holds at `now_s`, or something is due by it.
std::optional<DueNote> read_due_note(const Config& config, std::int64_t now_s);
void write_due_note(const Config& config, const DueNote& note, std::int64_t now_s);
void remove_due_note(const Config& config);

}  // namespace coppice::recovery
