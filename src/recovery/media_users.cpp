#include "recovery/media_users.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <set>

#include "backup/lines.h"
#include "backup/media_map.h"
#include "backup/runs.h"
#include "base/error.h"
#include "base/text.h"
#include "recovery/current_rows.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

constexpr std::size_t kMostUsers = 10;

class Users {
 public:
  Users(const repo::Repository& repository, const std::set<std::string>& names)
      : repository_(repository), names_(names) {}

  void look(const KnownBackup& backup) {
    const Tree home = Tree::read(repository_, backup.manifest.tree);
    home.checked([&] {
      for (const json& roots : home.member("roots")) look_in(home, roots);
    });
  }
  const std::vector<std::string>& found() const { return found_; }
  std::size_t count() const { return count_; }

 private:
  void look_in(const Tree& home, const json& roots) {
    const auto key = roots.at("key").get<std::vector<std::string>>();
    std::vector<std::string> physical = key;
    std::vector<std::string> column_names;
    std::vector<std::string> key_names(key.size());
    for (const json& column : roots.at("columns")) {
      physical.push_back(column.at("physical").get<std::string>());
      column_names.push_back(column.at("name").get<std::string>());
      for (std::size_t i = 0; i < key.size(); ++i) {
        if (key[i] == physical.back()) key_names[i] = column_names.back();
      }
    }
    const auto table = roots.at("table").get<std::string>();
    const TableRuns runs = read_table(repository_, tree_of(home, roots.at("table_id")));
    std::vector<std::string_view> fields;
    for_each_current_row(repository_, runs, physical, [&](std::string_view line) {
      if (!names_one(line)) return;
      split_fields(line, fields);
      std::vector<std::string> row;
      for (std::size_t i = 0; i < key.size(); ++i) {
        row.push_back(fmt::format("{} = {}", key_names[i], fields.at(i)));
      }
      for (std::size_t i = 0; i < column_names.size(); ++i) {
        if (!names_one(fields.at(key.size() + i))) continue;
        if (++count_ > kMostUsers) continue;
        found_.push_back(fmt::format("{}.{}{}{}", table, column_names[i],
                                     row.empty() ? "" : " of the row ", join(row, ", ")));
      }
    });
  }

  static repo::BlobId tree_of(const Tree& home, const json& table_id) {
    for (const json& table : home.member("tables")) {
      if (table.at("table_id") == table_id) return home.tree(table.at("tree"));
    }
    throw Error(ErrorCode::kIntegrity, fmt::format("the table {} has no rows", table_id.dump()));
  }

  bool names_one(std::string_view text) const {
    for (const std::string& name : names_) {
      if (text.find(name) != std::string_view::npos) return true;
    }
    return false;
  }

  const repo::Repository& repository_;
  const std::set<std::string>& names_;
  std::vector<std::string> found_;
  std::size_t count_ = 0;
};

}  // namespace

std::string with_users(const repo::Repository& repository, const KnownBackup& backup,
                       const std::string& what) {
  std::set<std::string> names;
  for_each_media_name(what, [&](std::string_view name) { names.emplace(name); });
  if (names.empty()) return what;
  Users users(repository, names);
  try {
    users.look(backup);
  } catch (const Error& error) {
    return fmt::format("{}; which cells use it cannot be read: {}", what, error.message());
  }
  if (users.count() == 0) return what + "; no current row uses it";
  const std::size_t more = users.count() - users.found().size();
  return fmt::format("{}; used by {}{}", what, join(users.found(), ", "),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace coppice::recovery
