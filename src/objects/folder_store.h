// FolderStore: an ObjectStore in a folder.
//
// Model    An object is a file at its name. It is written under ".incoming" and moved to its place,
//          without replacing what is there, once its bytes are on disk; what a crash leaves under
//          ".incoming" is removed by sweep_incoming(). The folder is held open: when it is removed
//          or unmounted, calls fail, and nothing is written beside it.
// Errors   As ObjectStore. Opening: kNotFound when there is no such folder.
#pragma once

#include <filesystem>
#include <string>

#include "base/files.h"
#include "objects/object_store.h"

namespace coppice {

class FolderStore final : public ObjectStore {
 public:
  enum class Missing { kRefuse, kCreate };
  // Folders have mode 0700 and files 0400.
  explicit FolderStore(std::filesystem::path folder, Missing missing = Missing::kRefuse);

  bool put(const std::string& name, std::string_view bytes) override;
  std::string get(const std::string& name) override;
  std::string get_part(const std::string& name, std::uint64_t offset_bytes,
                       std::uint64_t size_bytes) override;
  std::optional<ObjectInfo> stat(const std::string& name) override;
  void list(const std::string& prefix,
            const std::function<void(const ObjectInfo&)>& visit) override;
  bool remove(const std::string& name) override;
  std::string place() const override { return "the folder " + folder_.string(); }

  // Removes what writers that are gone have left, when it is older than `age_us`.
  void sweep_incoming(std::int64_t age_us);

 private:
  FileDescriptor open_object(const std::string& name) const;
  void make_folders(const std::string& name) const;
  bool move_to_place(const std::string& incoming, const std::string& name) const;
  void list_folder(const std::string& folder,
                   const std::function<void(const ObjectInfo&)>& visit) const;
  [[noreturn]] void fail(const std::string& what, const std::string& name) const;

  std::filesystem::path folder_;
  FileDescriptor root_;
};

}  // namespace coppice
