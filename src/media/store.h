// MediaStore: immutable media objects named by their SHA-256, in a folder of the home.
//
// Model    An object's name is "media:<64 hex>.<ext>", where ext is lower-case letters and digits;
//          its bytes are at HOME/media/sha256/<first 2 hex>/<64 hex>.<ext>. That rule is a format:
//          docs/formats/media_store.md. The database holds names, never paths, so a home can move.
//          Beside it, HOME/cache keeps what http(s) references gave (media/cache.h) by the same
//          rule; find() looks in both, so a function worker reads either by its name.
// Durable  An object is complete once put returns, and durable too unless the store was opened with
//          Durable::kWhenAsked: then make_durable() must come before anything durable names it.
//          A process that dies leaves only files under HOME/media/incoming, which sweep_incoming()
//          removes; a machine that dies may also leave an object that nothing names cut short,
//          which the next put of its bytes replaces. Putting the same bytes twice is one object,
//          whose time of modification becomes now.
// Threads  Every method may be called from any thread and any process at any time.
// Errors   kDiskFull, kIo, kNotFound (with the path), kInvalidInput for a malformed name.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/sha256.h"

namespace coppice {

struct MediaName {
  std::string sha256_hex;  // 64 digits
  std::string extension;   // "jpg", without a dot

  std::string text() const { return "media:" + sha256_hex + "." + extension; }
  // nullopt when `text` is not the name of a media object.
  static std::optional<MediaName> parse(std::string_view text);
};

enum class Durable { kAtOnce, kWhenAsked };

class MediaStore {
 public:
  // `folder` is HOME/media; created when missing. Objects are given to `owner` when we are root.
  explicit MediaStore(std::filesystem::path folder, std::optional<Account> owner = std::nullopt,
                      Durable durable = Durable::kAtOnce);

  // Takes a file in: a reflink (the same blocks, copied on write) or a hard link is tried when
  // `may_link`, else its bytes are copied; the digest is computed from the bytes that were stored.
  // The source is never changed. A hard link is made only when nobody can write to the file, see
  // docs/formats/media_store.md.
  MediaName put_file(const std::filesystem::path& file, std::string_view extension, bool may_link);
  MediaName put_bytes(std::string_view bytes, std::string_view extension);

  // Returns once these objects are durable, whichever process put them. Many are synced at the same
  // time: one after another would cost two waits for the disk each. An object that the disk did not
  // take (kDiskFull, kIo) is removed.
  void make_durable(const std::vector<MediaName>& names);

  // Where the object is or would be, by the rule alone.
  std::filesystem::path path_of(const MediaName& name) const;
  // The file to read the object from, in the store or in the cache of references beside it;
  // kNotFound when it is in neither.
  std::filesystem::path find(const MediaName& name) const;
  bool contains(const MediaName& name) const;
  // Size in bytes; kNotFound when it is not there.
  std::uintmax_t size_of(const MediaName& name) const;
  // The same as putting an object again that is there: its time of modification becomes now. False
  // when it is not there with that size, and so must be put.
  bool renew(const MediaName& name, std::uintmax_t size_bytes);
  // Removing an object that is not there is a success.
  void remove(const MediaName& name);
  // What a garbage collector calls: removes the object unless it was put again since, that is,
  // unless its time of modification is `modified_before_us` or later. True when it was removed.
  bool remove_if_older(const MediaName& name, std::int64_t modified_before_us);
  // Every object with its size and time of last modification, in no order.
  void for_each(const std::function<void(const MediaName&, std::uintmax_t size_bytes,
                                         std::int64_t modified_us)>& visit) const;
  // Removes leftovers of crashed writers older than `age_us`.
  void sweep_incoming(std::int64_t age_us);

  const std::filesystem::path& folder() const { return folder_; }

 private:
  friend class MediaWriter;
  friend class NamedMediaWriter;
  void make_folder(const std::filesystem::path& folder) const;
  MediaName publish(const std::filesystem::path& incoming, const Digest& digest,
                    std::uintmax_t size_bytes, std::string_view extension);
  bool touch_existing(const std::filesystem::path& object, std::uintmax_t size_bytes);
  std::filesystem::path incoming_path() const;

  std::filesystem::path folder_;
  std::optional<Account> owner_;
  Durable durable_;
};

// Stores an object whose bytes come piece by piece. Nothing is visible before finish(), and nothing
// is left when it is destroyed without it. Belongs to one thread.
class MediaWriter {
 public:
  explicit MediaWriter(MediaStore& store);  // borrowed
  ~MediaWriter();
  MediaWriter(const MediaWriter&) = delete;
  MediaWriter& operator=(const MediaWriter&) = delete;

  void append(std::string_view bytes);
  // Forgets what was appended.
  void reset();
  std::uintmax_t size_bytes() const;
  // The first bytes, as many as sniff() wants.
  std::string_view first_bytes() const { return first_bytes_; }
  // Durable as the store says. Called once.
  MediaName finish(std::string_view extension);

 private:
  struct State;
  MediaStore& store_;
  std::unique_ptr<State> state_;
  std::string first_bytes_;
};

}  // namespace coppice
