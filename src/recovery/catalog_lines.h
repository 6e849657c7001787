// Catalog lines: the catalog that a backup holds, read without a database.
//
// Threads  One thread.
// Errors   Those of the repository; kIntegrity for a catalog that lacks a table or a version.
// Source   docs/formats/backup.md, "Home"; docs/formats/catalog.md
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/lines.h"
#include "backup/tree.h"
#include "catalog/model.h"

namespace coppice::recovery {

// The fields of these columns, of each row, as the lines have them; "\N" for a column that the
// backup's catalog does not have. Views that are valid during the call.
void for_each_catalog_row(const repo::Repository& repository, const Tree& home,
                          const std::string& table, const std::vector<std::string>& columns,
                          const std::function<void(const std::vector<std::string_view>&)>& visit);

// nullopt: NULL.
std::optional<std::string> catalog_value(std::string_view field);
std::int64_t catalog_number(std::string_view field);
std::vector<std::int64_t> catalog_numbers(std::string_view field);  // "{3,5}"

// By table: the version below which its row versions are no part of the backup.
std::map<std::int64_t, catalog::VersionInfo> floors_in(const repo::Repository& repository,
                                                       const Tree& home);

}  // namespace coppice::recovery
