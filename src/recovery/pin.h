// Pin: keeps what a backup reads from being pruned, for as long as the backup lives.
//
// Model    A row of coppice.pins for each tree, renewed while the backup works: that of a backup
//          which was killed expires, and the next one removes it.
// Threads  As the connection.
// Errors   ContentMoved when it expired before it was renewed: the machine slept.
// Source   docs/formats/backup.md, "Writing"
#pragma once

#include <chrono>
#include <string>

#include "pg/connection.h"

namespace coppice::recovery {

// The name of this machine, for people.
std::string host_name();

class Pin {
 public:
  // who: for those who look at what keeps prune from its work.
  Pin(pg::Connection& connection, std::string who);
  ~Pin();
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  // Trees that have come since, too. Prune raises a floor under the lock that this waits for.
  void take();
  void renew_if_due();

 private:
  pg::Connection& connection_;
  const std::string who_;
  const std::string id_;
  std::chrono::steady_clock::time_point renewed_;
};

}  // namespace coppice::recovery
