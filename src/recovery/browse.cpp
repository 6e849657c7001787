#include "recovery/browse.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/media_map.h"
#include "backup/runs.h"
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "engine/emit.h"
#include "recovery/browse_other.h"
#include "recovery/current_rows.h"
#include "recovery/files.h"
#include "recovery/open_repository.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

constexpr std::size_t kBufferBytes = 256 << 10;

class BufferedFile {
 public:
  explicit BufferedFile(int fd) : fd_(fd) {}
  void write(std::string_view bytes) {
    buffer_ += bytes;
    if (buffer_.size() >= kBufferBytes) flush();
  }
  void flush() {
    write_all(fd_, buffer_, "standard output");
    buffer_.clear();
  }

 private:
  int fd_;
  std::string buffer_;
};

// One backup that is looked into.
class Browser {
 public:
  Browser(const RepositoryAddress& address, const std::string& id, ResultSink& sink)
      : open_(open_repository(address, sink)),
        backups_(known_backups(*open_.repository, sink)),
        backup_(backup_named(backups_, id)),
        home_(Tree::read(*open_.repository, backup_.manifest.tree)) {}

  void list(const std::string& path, ResultSink& sink) {
    engine::RowsOut rows(sink, {{"path", "text"}, {"size_bytes", "bigint"}, {"rows", "bigint"}});
    bool any = false;
    if (is_other_data(backup_.manifest)) {
      for_each_path(repository(), other_data(), path, [&](const std::string& file, auto size) {
        any = true;
        rows.row({file, size ? std::optional(std::to_string(*size)) : std::nullopt, std::nullopt});
      });
      rows.end();
      if (!any) throw not_there(path);
      return;
    }
    const auto tell = [&](const std::string& file, std::optional<std::uint64_t> size,
                          std::optional<std::uint64_t> count) {
      const bool below = path.empty() || file == path || file.starts_with(with_slash(path));
      if (!below) return;
      any = true;
      const auto number = [](std::optional<std::uint64_t> value) {
        return value ? std::optional(std::to_string(*value)) : std::nullopt;
      };
      rows.row({file, number(size), number(count)});
    };
    home_.checked([&] { visit(path, tell); });
    rows.end();
    if (!any) throw not_there(path);
  }

  void write(const std::string& path, int fd) {
    home_.checked([&] {
      BufferedFile file(fd);
      const bool is_other = is_other_data(backup_.manifest);
      const bool is_there = is_other ? read_path(repository(), other_data(), path,
                                                 [&](std::string_view some) { file.write(some); })
                                     : write_one(path, file);
      if (!is_there) throw not_there(path);
      file.flush();
    });
  }

 private:
  const repo::Repository& repository() const { return *open_.repository; }
  OtherData other_data() const { return read_other_data(repository(), backup_.manifest); }

  template <typename Tell>
  void visit(const std::string& path, const Tell& tell) {
    for (const json& table : home_.member("catalog")) {
      tell("catalog/" + table.at("table").get<std::string>() + ".tsv", std::nullopt,
           table.at("rows").get<std::uint64_t>());
    }
    tell("config.toml", home_.member("config").at("size").get<std::uint64_t>(), std::nullopt);
    for (const json& file : home_.member("code")) {
      tell("functions/" + file.at("path").get<std::string>(), file.at("size").get<std::uint64_t>(),
           std::nullopt);
    }
    if (path.empty() || path.starts_with("media")) {
      for (const json& part : home_.member("media")) {
        for (const auto& [name, object] :
             read_media_tree(*open_.repository, home_.tree(part.at("tree")))) {
          tell("media/" + name, object.size_bytes, std::nullopt);
        }
      }
    }
    for (const json& roots : home_.member("roots")) {
      const auto table = roots.at("table").get<std::string>();
      tell("tables/" + table + ".tsv", std::nullopt, roots.at("rows").get<std::uint64_t>());
    }
  }

  bool write_one(const std::string& path, BufferedFile& out) {
    if (path == "config.toml") return write_file(home_.member("config"), out);
    if (path.starts_with("functions/")) {
      for (const json& file : home_.member("code")) {
        if ("functions/" + file.at("path").get<std::string>() == path) {
          return write_file(file, out);
        }
      }
    }
    if (path.starts_with("media/")) return write_media(path.substr(6), out);
    if (path.starts_with("tables/")) return write_table_rows(path, out);
    if (path.starts_with("catalog/")) return write_catalog_rows(path, out);
    return false;
  }

  bool write_file(const json& file, BufferedFile& out) {
    read_blobs(*open_.repository, home_.blobs(file.at("blobs")),
               [&](std::string_view bytes) { out.write(bytes); });
    return true;
  }

  bool write_media(const std::string& name, BufferedFile& out) {
    for (const json& part : home_.member("media")) {
      if (!name.starts_with(part.at("prefix").get<std::string>())) continue;
      const MediaObjects objects = read_media_tree(*open_.repository, home_.tree(part.at("tree")));
      const auto found = objects.find(name);
      if (found == objects.end()) return false;
      read_blobs(*open_.repository, found->second.blobs,
                 [&](std::string_view bytes) { out.write(bytes); });
      return true;
    }
    return false;
  }

  bool write_catalog_rows(const std::string& path, BufferedFile& out) {
    for (const json& table : home_.member("catalog")) {
      if ("catalog/" + table.at("table").get<std::string>() + ".tsv" != path) continue;
      out.write(join(table.at("columns").get<std::vector<std::string>>(), "\t") + "\n");
      return write_file(table, out);
    }
    return false;
  }

  bool write_table_rows(const std::string& path, BufferedFile& out) {
    for (const json& roots : home_.member("roots")) {
      if ("tables/" + roots.at("table").get<std::string>() + ".tsv" != path) continue;
      std::vector<std::string> names, physical;
      for (const json& column : roots.at("columns")) {
        names.push_back(column.at("name").get<std::string>());
        physical.push_back(column.at("physical").get<std::string>());
      }
      out.write(join(names, "\t") + "\n");
      for_each_current_row(*open_.repository, runs_of(roots), physical,
                           [&](std::string_view line) { out.write(line); });
      return true;
    }
    return false;
  }

  TableRuns runs_of(const json& roots) {
    for (const json& table : home_.member("tables")) {
      if (table.at("table_id") == roots.at("table_id")) {
        return read_table(*open_.repository, home_.tree(table.at("tree")));
      }
    }
    throw Error(ErrorCode::kIntegrity, "the backup lacks the rows of one of its tables");
  }

  static std::string with_slash(const std::string& path) {
    return path.ends_with('/') ? path : path + "/";
  }

  Error not_there(const std::string& path) const {
    return Error(ErrorCode::kNotFound,
                 fmt::format("the backup {} has no {}", short_backup_id(backup_.id.hex()), path),
                 "see what it has: coppice backup ls " + short_backup_id(backup_.id.hex()));
  }

  const OpenRepository open_;
  const std::vector<KnownBackup> backups_;
  const KnownBackup& backup_;
  const Tree home_;
};

}  // namespace

void list_path(const RepositoryAddress& repository, const std::string& backup,
               const std::string& path, ResultSink& sink) {
  Browser(repository, backup, sink).list(path, sink);
}

void write_path(const RepositoryAddress& repository, const std::string& backup,
                const std::string& path, int output_fd, ResultSink& sink) {
  Browser(repository, backup, sink).write(path, output_fd);
}

}  // namespace coppice::recovery
