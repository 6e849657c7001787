// Error: the one exception type of Coppice.
//
// Model    A code (a stable word that scripts may rely on), a message that says what happened and
//          where, and a hint that says what to do. Third-party exceptions are caught at the
//          wrapper of their library and become this. A failed cell is data, not an Error.
// Threads  A plain value; throw it anywhere, carry it over threads as std::exception_ptr.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace coppice {

enum class ErrorCode {
  kUsage,          // the command line or a parameter is wrong
  kSyntax,         // SQL that the grammar does not read
  kUnsupported,    // SQL that this format of Coppice refuses by name
  kType,           // an expression has the wrong type or kind
  kNotFound,       // table, column, version, file … is not there
  kAlreadyExists,  // a name or key is taken
  kConstraint,     // a key, CHECK or NOT NULL is violated
  kConflict,       // other writers changed the same rows too often
  kInvalidInput,   // data that cannot be read: truncated media, bad UTF-8, wrong column count
  kComputation,    // a computed column failed on a row
  kRefused,        // policy: read-only, not confirmed, not owned
  kBusy,           // somebody else holds what is needed
  kUnavailable,    // a server or service does not answer; may succeed if tried again
  kDiskFull,       //
  kIntegrity,      // a checksum or root does not match
  kNewerFormat,    // written by a newer Coppice
  kInterrupted,    // a stop was asked for
  kPaused,         // stopped cleanly to go on later: by request, or a budget is spent
  kCancelled,      // given up by request while it ran; nothing of it is left
  kPartlyDone,     // some of the work was done, the message says how much
  kIo,             // the operating system refused a call
  kInternal,       // a defect in Coppice itself
};

// The stable word of a code ("not_found") and the exit code it maps to (design, section 3).
std::string_view code_name(ErrorCode code);
int exit_code(ErrorCode code);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode error_code, const std::string& message, std::string hint_text = {})
      : std::runtime_error(message), code_(error_code), hint_(std::move(hint_text)) {}

  ErrorCode code() const { return code_; }
  std::string message() const { return what(); }
  const std::string& hint() const { return hint_; }

 private:
  ErrorCode code_;
  std::string hint_;
};

// Throws Error{kIo or kDiskFull} for the current errno: "cannot <what>: <reason>".
[[noreturn]] void throw_errno(const std::string& what);

namespace internal {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

// A programmer error ends the program, in release builds too.
#define COPPICE_ASSERT(expression) \
  ((expression) ? void(0) : ::coppice::internal::assertion_failed(#expression, __FILE__, __LINE__))

}  // namespace coppice
