// Row sums: the sums over the rows that a query gives.
//
// Model    The query's columns are read in PostgreSQL's text form, under settings that give every
//          value one form (canonical_session()). Either the first of them are the key, and each of
//          the others has a sum of its own, over key and value; or there is one sum, over whole
//          rows.
// Units    Memory is a few MiB, or the largest row; and 12 KiB a sum and thread.
// Errors   As the Connection; what `on_rows` throws ends the read.
// Threads  The query is read by the caller; rows are hashed by threads of its own, once there are
//          many.
// Source   docs/formats/root.md
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backup/lattice_sum.h"
#include "pg/connection.h"

namespace coppice {

// Makes the session print each value in the one form that roots are made of.
void canonical_session(pg::Connection& connection);

struct RowForm {
  std::string form;             // "coppice root 1 cell": the first field of every element
  std::size_t columns = 0;      // of the query
  std::size_t key_columns = 0;  // the first ones
  bool whole_rows = false;      // one sum
  std::size_t sums() const { return whole_rows ? 1 : columns - key_columns; }
};

// `on_rows` hears how many rows were read since it was called last.
std::vector<LatticeSum> sum_rows(pg::Connection& connection, const std::string& query,
                                 const RowForm& form,
                                 const std::function<void(std::uint64_t rows)>& on_rows = {});

// The element of one row, or of one cell: for tests, and for whoever has the values at hand.
Digest element_of(std::string_view form, const std::vector<std::optional<std::string>>& values);

namespace internal {

// Adds rows, in the text form of COPY, to sums: one thread's share.
class RowAdder {
 public:
  explicit RowAdder(const RowForm& form) : form_(form), sums_(form.sums()) {}

  void add_lines(std::string_view lines);
  const std::vector<LatticeSum>& sums() const { return sums_; }

 private:
  void add_line(std::string_view line);
  void split(std::string_view line);
  void append_value(std::string_view field);
  void add_element(std::size_t sum);

  RowForm form_;
  std::vector<LatticeSum> sums_;
  ElementExpander expander_;
  std::vector<std::string_view> fields_;
  std::string element_;
};

}  // namespace internal
}  // namespace coppice
