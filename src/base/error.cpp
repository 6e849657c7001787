#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace coppice {
namespace {

struct CodeFacts {
  ErrorCode code;
  std::string_view name;
  int exit_code;
};

constexpr CodeFacts kCodes[] = {
    {ErrorCode::kUsage, "usage", 2},
    {ErrorCode::kSyntax, "syntax", 1},
    {ErrorCode::kUnsupported, "unsupported", 1},
    {ErrorCode::kType, "type", 1},
    {ErrorCode::kNotFound, "not_found", 4},
    {ErrorCode::kAlreadyExists, "already_exists", 1},
    {ErrorCode::kConstraint, "constraint", 1},
    {ErrorCode::kConflict, "conflict", 1},
    {ErrorCode::kInvalidInput, "invalid_input", 1},
    {ErrorCode::kComputation, "computation", 1},
    {ErrorCode::kRefused, "refused", 5},
    {ErrorCode::kBusy, "busy", 1},
    {ErrorCode::kUnavailable, "unavailable", 1},
    {ErrorCode::kDiskFull, "disk_full", 1},
    {ErrorCode::kIntegrity, "integrity", 6},
    {ErrorCode::kNewerFormat, "newer_format", 1},
    {ErrorCode::kInterrupted, "interrupted", 130},
    {ErrorCode::kPaused, "paused", 3},
    {ErrorCode::kCancelled, "cancelled", 130},
    {ErrorCode::kPartlyDone, "partly_done", 3},
    {ErrorCode::kIo, "io", 1},
    {ErrorCode::kInternal, "internal", 1},
};

const CodeFacts& facts(ErrorCode code) {
  for (const CodeFacts& entry : kCodes) {
    if (entry.code == code) return entry;
  }
  return kCodes[std::size(kCodes) - 1];
}

}  // namespace

std::string_view code_name(ErrorCode code) { return facts(code).name; }

int exit_code(ErrorCode code) { return facts(code).exit_code; }

void throw_errno(const std::string& what) {
  const int number = errno;
  const std::string message = "cannot " + what + ": " + std::strerror(number);
  if (number == ENOSPC || number == EDQUOT) {
    throw Error(ErrorCode::kDiskFull, "the disk is full: " + message,
                "free some space on that disk and try again");
  }
  if (number == ENOENT) throw Error(ErrorCode::kNotFound, message);
  if (number == EACCES || number == EPERM) {
    throw Error(ErrorCode::kIo, message,
                "check who owns it and who may use it, or run as the account that it belongs to");
  }
  if (number == EROFS) throw Error(ErrorCode::kIo, message, "mount its file system for writing");
  throw Error(ErrorCode::kIo, message);
}

namespace internal {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "coppice: internal error: %s is false (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace internal
}  // namespace coppice
