// LazyConnection: a session with the database that is opened when first used, and again when lost.
//
// Threads  get() belongs to one thread; cancel() may come from any, and from a signal handler. So a
//          session that was lost is closed with this object only: somebody may be cancelling it.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "pg/connection.h"

namespace coppice::engine {

class LazyConnection {
 public:
  // `open` gives a pg::Connection.
  template <typename Open>
  pg::Connection& get(const Open& open) {
    if (sessions_.empty() || !sessions_.back()->is_alive()) {
      sessions_.push_back(std::make_unique<pg::Connection>(open()));
      current_ = sessions_.back().get();
    }
    return *sessions_.back();
  }

  // Asks the server to stop what runs in the session, if anything does.
  void cancel() const noexcept {
    if (const pg::Connection* session = current_.load()) session->cancel();
  }

 private:
  std::vector<std::unique_ptr<pg::Connection>> sessions_;
  std::atomic<const pg::Connection*> current_ = nullptr;
};

}  // namespace coppice::engine
