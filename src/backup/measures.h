// Measures of a backup: what changed since the backup before, as a by-product of making it.
//
// Units    Rows are current ones; bytes are of blobs, before and after compression.
// Threads  Plain values.
// Errors   nlohmann's, for JSON that is none of measures.
// Source   docs/formats/backup.md, "Manifest"
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace coppice {

struct Measures {
  struct Table {
    std::int64_t table_id = 0;
    std::string name;
    std::uint64_t before = 0;  // rows
    std::uint64_t fresh = 0;   // that were not there in this form
    std::uint64_t gone = 0;    // that are there no more in that form
    std::uint64_t now() const { return before + fresh - gone; }
  };
  std::string base;           // the backup that this one is compared with; empty: none
  std::vector<Table> tables;  // with changes
  std::uint64_t rows_before = 0, rows_new = 0, rows_gone = 0;
  std::uint64_t row_bytes = 0, row_packed_bytes = 0;  // that the repository did not have
  std::uint64_t media_before = 0, media_added = 0, media_removed = 0;
  std::uint64_t media_bytes = 0, media_packed_bytes = 0;
  std::uint64_t given_bytes = 0, new_bytes = 0;
};

nlohmann::json to_json(const Measures& measures);
Measures measures_from(const nlohmann::json& content);

}  // namespace coppice
