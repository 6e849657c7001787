// Which columns of the store hold media.
#pragma once

#include <map>
#include <set>
#include <string>

#include "pg/connection.h"

namespace coppice::recovery {

// By table of the store, stages too: every physical column that holds media, or arrays of them.
std::map<std::string, std::set<std::string>> media_columns_of(pg::Connection& connection);

}  // namespace coppice::recovery
