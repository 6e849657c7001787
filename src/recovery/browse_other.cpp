#include "recovery/browse_other.h"

namespace coppice::recovery {
namespace {

constexpr const char* kDump = "dump";
constexpr const char* kFiles = "files";

bool lies_below(const std::string& path, const std::string& folder) {
  return folder.empty() || path == folder || path.starts_with(folder + "/");
}

class PathWalk {
 public:
  using Visit = std::function<void(const std::string& path, const FileEntry& entry)>;

  PathWalk(const repo::Repository& repository, std::string wanted, Visit visit)
      : repository_(repository), wanted_(std::move(wanted)), visit_(std::move(visit)) {
    while (wanted_.ends_with('/')) wanted_.pop_back();
  }

  void source(const FileSource& source) {
    // "/srv/data" is "files/srv/data", and "/" is "files".
    entry(kFiles + (source.path == "/" ? std::string() : source.path), source.entry);
  }

 private:
  void entry(const std::string& path, const FileEntry& entry_there) {
    if (!lies_below(path, wanted_) && !lies_below(wanted_, path)) return;
    if (lies_below(path, wanted_)) visit_(path, entry_there);
    if (entry_there.kind != FileKind::kFolder) return;
    for_each_entry(repository_, entry_there.parts,
                   [&](const FileEntry& one) { entry(path + "/" + one.name, one); });
  }

  const repo::Repository& repository_;
  std::string wanted_;
  const Visit visit_;
};

}  // namespace

void for_each_path(
    const repo::Repository& repository, const OtherData& data, const std::string& path,
    const std::function<void(const std::string& path, std::optional<std::uint64_t> size)>& visit) {
  const std::string wanted = path_shown_as(path);
  if (data.dump && lies_below(kDump, wanted)) visit(kDump, data.dump->content.size_bytes);
  PathWalk walk(repository, wanted, [&](const std::string& found, const FileEntry& entry) {
    std::string shown = shown_path(found);
    if (entry.kind == FileKind::kLink) return visit(shown + " -> " + shown_path(entry.target), {});
    if (entry.kind == FileKind::kFolder) return visit(shown + "/", {});
    visit(shown, entry.content.size_bytes);
  });
  for (const FileSource& source : data.sources) walk.source(source);
}

bool read_path(const repo::Repository& repository, const OtherData& data, const std::string& path,
               const std::function<void(std::string_view)>& visit) {
  const std::string wanted = path_shown_as(path);
  if (data.dump && wanted == kDump) {
    read_content(repository, data.dump->content, visit);
    return true;
  }
  bool is_read = false;
  PathWalk walk(repository, wanted, [&](const std::string& found, const FileEntry& entry) {
    if (found != wanted || entry.kind != FileKind::kFile || is_read) return;
    read_content(repository, entry.content, visit);
    is_read = true;
  });
  for (const FileSource& source : data.sources) walk.source(source);
  return is_read;
}

}  // namespace coppice::recovery
