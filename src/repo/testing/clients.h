// Clients of one store that take turns: what they do is mixed call by call, and a second time in
// the same way.
//
// Model    A Client does its work in a thread of its own, which stands still before each call to
//          the store until it is that client's turn. Killed, its next call does not return, and
//          nothing of it reaches the store any more. Calls that several threads of a client make
//          at once, to read indexes, neither wait nor fail by number: they have no fixed order.
// Threads  One thread makes clients and gives turns.
// Errors   What the work throws is kept.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>

#include "base/error.h"
#include "objects/object_store.h"

namespace coppice::repo {

// Of a client's calls, counted from 1; 0 is none.
struct ClientFaults {
  std::uint64_t fails = 0;      // kUnavailable, and nothing is done
  bool and_after = false;       // so do all behind it: the store is gone
  std::uint64_t no_answer = 0;  // it is done, and kUnavailable
  std::uint64_t lies = 0;       // the first put() from there on says that it was done
  bool torn = false;            // it was, by half; or else not at all
};

class Client {
 public:
  // What a client's work sees: its store, and whose it is.
  using Work = std::function<void(ObjectStore&, Client&)>;

  // The store is borrowed.
  Client(ObjectStore& store, ClientFaults faults, Work work);
  ~Client();  // kills
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Lets it make so many calls, or end.
  void take_turn(unsigned calls);
  void kill();
  // In its own thread: stands still as before a call.
  void wait();
  // In its own thread: packs are read by several threads at once, too.
  void reads_packs_at_once() { packs_at_once_ = true; }

  bool ended() const { return ended_; }
  bool was_killed() const { return killed_; }
  const std::optional<Error>& error() const { return error_; }
  // Whether a planned fault has happened.
  bool saw_fault() const { return saw_fault_; }
  // What the store has lied about, if it did.
  const std::string& lied_about() const { return lied_about_; }
  const std::string& last_call() const { return last_call_; }

 private:
  class Store;
  void run(const Work& work);

  ObjectStore& behind_;
  const ClientFaults faults_;
  unsigned calls_left_ = 0;
  std::uint64_t calls_ = 0;
  bool killed_ = false, ended_ = false, saw_fault_ = false, packs_at_once_ = false;
  std::optional<Error> error_;
  std::string lied_about_, last_call_;
  std::binary_semaphore turn_{0}, back_{0};
  std::thread thread_;
};

}  // namespace coppice::repo
