// NamedMediaWriter: fills the object of a known name, in a store that nobody else uses yet.
//
// Model    The file is made in its place, without a second name and a move, so it can be seen
// before
//          it is whole: for a restore into a home that cannot be opened before its end, and that
//          looks at the digests of what is there when it goes on after a crash. Large objects go
//          around the page cache.
// Durable  Not by itself: a restore syncs the file system once.
// Threads  Belongs to one thread; several may fill objects of one store.
// Errors   kDiskFull, kIo; kAlreadyExists when the object is there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/direct_writer.h"
#include "base/files.h"
#include "base/sha256.h"
#include "media/store.h"

namespace coppice {

class NamedMediaWriter {
 public:
  // `store` is borrowed. `size_bytes`: what is expected.
  NamedMediaWriter(const MediaStore& store, MediaName name, std::uint64_t size_bytes);
  // Without finish() the object is removed.
  ~NamedMediaWriter();
  NamedMediaWriter(const NamedMediaWriter&) = delete;
  NamedMediaWriter& operator=(const NamedMediaWriter&) = delete;

  void append(std::string_view bytes);
  // False when the bytes are not those of the name: then the object is removed.
  bool finish();

 private:
  const MediaName name_;
  const std::filesystem::path file_;
  FileDescriptor fd_;
  Sha256 digest_;
  std::optional<DirectWriter> direct_;
  bool finished_ = false;
};

}  // namespace coppice
