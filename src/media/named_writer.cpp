#include "media/named_writer.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace coppice {
namespace {

constexpr mode_t kFileMode = 0640;
// Smaller ones may be read again soon, and cost little.
constexpr std::uint64_t kDirectBytes = 4 * kDirectBlockBytes;

int create_file(const std::filesystem::path& file) {
  return ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
}

}  // namespace

NamedMediaWriter::NamedMediaWriter(const MediaStore& store, MediaName name,
                                   std::uint64_t size_bytes)
    : name_(std::move(name)), file_(store.path_of(name_)), fd_(create_file(file_)) {
  if (!fd_ && errno == ENOENT) {
    store.make_folder(file_.parent_path());
    fd_ = FileDescriptor(create_file(file_));
  }
  if (!fd_ && errno == EEXIST) {
    throw Error(ErrorCode::kAlreadyExists, fmt::format("{} is there already", name_.text()));
  }
  if (!fd_) throw_errno("create " + file_.string());
  const std::optional<Account>& owner = store.owner_;
  const bool given = !owner || ::geteuid() != 0 || ::fchown(fd_.get(), owner->uid, owner->gid) == 0;
  // fchmod: the mode must not depend on the umask of whoever runs the command.
  if (!given || ::fchmod(fd_.get(), kFileMode) != 0) {
    const int number = errno;
    ::unlink(file_.c_str());
    errno = number;
    throw_errno("set the owner and mode of " + file_.string());
  }
  if (size_bytes >= kDirectBytes) direct_.emplace(fd_.get(), file_.string());
}

NamedMediaWriter::~NamedMediaWriter() {
  if (!finished_) ::unlink(file_.c_str());
}

void NamedMediaWriter::append(std::string_view bytes) {
  digest_.update(bytes);
  if (direct_) {
    direct_->append(bytes);
  } else {
    write_all(fd_.get(), bytes, file_.string());
  }
}

bool NamedMediaWriter::finish() {
  if (direct_) direct_->finish();
  finished_ = to_hex(digest_.finish()) == name_.sha256_hex;
  return finished_;
}

}  // namespace coppice
