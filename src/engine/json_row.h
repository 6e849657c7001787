// JsonRow: one JSON object as the texts that PostgreSQL reads for its columns.
//
// Model    Values are written while the parser meets them, so no call is nested and numbers keep
//          their digits. For a json column an object or array is JSON; for an array column an array
//          is PostgreSQL's {…}; for any other column objects and arrays are JSON, too. null is
//          NULL.
// Errors   read() throws kInvalidInput: what is wrong and at which column of the line.
// Threads  One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "catalog/model.h"

namespace coppice::engine {

class JsonRow {
 public:
  using Value = std::optional<std::string>;

  explicit JsonRow(const catalog::TableInfo& table) : table_(table) {}

  void read(std::string_view line);
  const std::vector<std::string>& keys() const { return keys_; }  // each once, as first seen
  // nullptr when the object does not have it.
  const Value* find(const std::string& key) const;

 private:
  const catalog::TableInfo& table_;
  std::unordered_map<std::string, Value> values_;
  std::vector<std::string> keys_;
};

}  // namespace coppice::engine
