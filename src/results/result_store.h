// ResultStore: durable results in the database, and claims on calls that are being made.
//
// Model    find() gives what is kept. claim() says which of the missing calls nobody else is
// making;
//          for those the caller makes the call and then keep()s or release()s. A claim is a session
//          lock: it ends with the process, however that ends. keep() commits by itself.
// Units    Seconds are of the call, as wall time.
// Threads  One thread at a time. The connection must be this store's own, outside transactions.
// Errors   Those of the connection. A kept value that cannot be read counts as missing.
// Source   docs/formats/durable_results.md
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/money.h"
#include "pg/connection.h"
#include "results/result_key.h"

namespace coppice {

struct KeptResult {
  ResultKey key;
  Value value;
  double seconds = 0;
  Money money;
};

class ResultStore {
 public:
  // `connection` gives this store's session; it is asked before each use, for sessions may be lost.
  explicit ResultStore(std::function<pg::Connection&()> connection)
      : connection_(std::move(connection)) {}

  // One per key, in their order. What is found counts as used.
  std::vector<std::optional<Value>> find(const std::vector<ResultKey>& keys);

  // True for those that are this session's to make.
  std::vector<bool> claim(const std::vector<ResultKey>& keys);
  // Returns when nobody is making any of them; throws kInterrupted when stop is requested.
  void wait_for(const std::vector<ResultKey>& keys, const std::stop_token& stop);
  void release(const std::vector<ResultKey>& keys);

  // Durable when it returns. `replace`: what is kept already makes way.
  void keep(const DurableFunction& function, const std::vector<KeptResult>& results, bool replace);

 private:
  std::function<pg::Connection&()> connection_;
};

}  // namespace coppice
