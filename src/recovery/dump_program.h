// Programs of PostgreSQL, as parts of a backup or restore: pg_dump writes to us, pg_restore reads
// from us.
//
// Model    They are started without a shell. A password stands in their environment, which only
//          the same user and root can read, never among their arguments; of our environment they
//          get what PostgreSQL's clients read, and no key of a repository.
// Threads  One thread; what they say on standard error is read by one of its own.
// Errors   kUnavailable, with what the program said, when it fails.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/process.h"
#include "pg/client_programs.h"

namespace coppice::recovery {

class DumpProgram {
 public:
  enum class Stream { kOutput, kInput };  // which of its streams is ours

  // `arguments` go before --dbname.
  DumpProgram(const pg::ClientProgram& program, std::vector<std::string> arguments,
              const std::string& conninfo, Stream stream);
  ~DumpProgram();
  DumpProgram(const DumpProgram&) = delete;
  DumpProgram& operator=(const DumpProgram&) = delete;

  // All that it writes.
  void read(const std::function<void(std::string_view)>& visit);
  // False when it reads no more: finish() says why.
  bool write(std::string_view bytes);
  // Waits for its end. Gives what it said, which is no error.
  std::string finish();

 private:
  const std::string name_;
  ChildProcess child_;
  std::string said_;
  std::thread listening_;
};

}  // namespace coppice::recovery
