#include "media/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <limits>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;

constexpr char kAbcDigest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::int64_t kFarFuture = std::numeric_limits<std::int64_t>::max();

class MediaStoreTest : public testing::Test {
 protected:
  MediaStoreTest()
      : scratch_(fs::temp_directory_path(), "media_store_test"),
        home_(scratch_.path()),
        store_(home_ / "media") {}

  fs::path write(const std::string& name, const std::string& bytes) const {
    const fs::path file = home_ / name;
    write_file_atomically(file, bytes, 0644);
    return file;
  }
  std::vector<fs::path> incoming() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(home_ / "media" / "incoming"))
      files.push_back(entry.path());
    return files;
  }
  std::size_t object_count() const {
    std::size_t count = 0;
    store_.for_each([&](const MediaName&, std::uintmax_t, std::int64_t) { ++count; });
    return count;
  }
  static struct stat status_of(const fs::path& file) {
    struct stat status {};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status;
  }
  static ErrorCode code_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "no error was thrown";
    return ErrorCode::kInternal;
  }

  ScratchFolder scratch_;
  fs::path home_;
  MediaStore store_;
};

TEST(MediaName, IsReadBackAndNothingElseIsAName) {
  const MediaName name{kAbcDigest, "txt"};
  const auto parsed = MediaName::parse(name.text());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->sha256_hex, kAbcDigest);
  EXPECT_EQ(parsed->extension, "txt");
  const std::string digest = kAbcDigest;
  for (const std::string& wrong :
       {std::string(), std::string("media:"), digest + ".txt", "media:" + digest,
        "media:" + digest + ".", "media:" + digest + ".TXT", "media:" + digest + ".t/x",
        "media:" + digest + ".a.b", "media:" + digest.substr(1) + ".txt",
        "MEDIA:" + digest + ".txt", "media:" + digest + ".abcdefghijklm",
        "media:../" + digest.substr(3) + ".txt"}) {
    EXPECT_FALSE(MediaName::parse(wrong)) << wrong;
  }
}

TEST_F(MediaStoreTest, MakesManyObjectsDurableTogether) {
  MediaStore store(home_ / "media", std::nullopt, Durable::kWhenAsked);
  std::vector<MediaName> names;
  for (int i = 0; i < 100; ++i) names.push_back(store.put_bytes(std::to_string(i), "txt"));
  names.push_back(names.front());
  store.make_durable(names);
  store.make_durable({});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(read_file(store.find(names[i])), std::to_string(i));
  EXPECT_TRUE(incoming().empty());
  store.remove(names[50]);
  EXPECT_EQ(code_of([&] { store.make_durable(names); }), ErrorCode::kNotFound);
}

TEST_F(MediaStoreTest, TheExampleOfTheFormatPageIsTrue) {
  const MediaName name = store_.put_bytes("abc", "txt");
  EXPECT_EQ(name.text(), std::string("media:") + kAbcDigest + ".txt");
  EXPECT_EQ(store_.path_of(name),
            home_ / "media" / "sha256" / "ba" / (kAbcDigest + std::string(".txt")));
  EXPECT_EQ(read_file(store_.path_of(name)), "abc");
  EXPECT_EQ(store_.size_of(name), 3u);
  EXPECT_TRUE(store_.contains(name));
  EXPECT_TRUE(incoming().empty());
}

TEST_F(MediaStoreTest, AFileAndItsBytesAreOneObject) {
  const std::string bytes(3'000'000, 'v');
  const fs::path file = write("street.avi", bytes);
  const MediaName from_file = store_.put_file(file, "avi", false);
  const MediaName again = store_.put_file(file, "avi", true);
  const MediaName from_bytes = store_.put_bytes(bytes, "avi");
  EXPECT_EQ(from_file.text(), from_bytes.text());
  EXPECT_EQ(from_file.text(), again.text());
  EXPECT_EQ(object_count(), 1u);
  EXPECT_EQ(to_hex(sha256_file(store_.path_of(from_file))), from_file.sha256_hex);
  EXPECT_EQ(read_file(file), bytes);
}

TEST_F(MediaStoreTest, ModesDoNotDependOnTheUmask) {
  const mode_t before = ::umask(0077);
  MediaStore store(home_ / "other");
  const MediaName name = store.put_bytes("abc", "txt");
  ::umask(before);
  EXPECT_EQ(status_of(store.path_of(name)).st_mode & 07777, 0640u);
  EXPECT_EQ(status_of(store.path_of(name).parent_path()).st_mode & 07777, 0750u);
  EXPECT_EQ(status_of(store.folder()).st_mode & 07777, 0750u);
}

TEST_F(MediaStoreTest, ObjectsBelongToTheOwnerThatRootNames) {
  const auto owner = ::geteuid() == 0 ? find_account("nobody") : current_account();
  ASSERT_TRUE(owner);
  MediaStore store(home_ / "owned", owner);
  const MediaName name = store.put_bytes("abc", "txt");
  store.put_bytes("abc", "txt");  // takes the lock, which must not stay root's
  for (const fs::path& path : {store.folder(), store.folder() / "incoming", store.folder() / "lock",
                               store.path_of(name), store.path_of(name).parent_path()}) {
    EXPECT_EQ(status_of(path).st_uid, owner->uid) << path;
  }
}

TEST_F(MediaStoreTest, AWritableFileIsNeverHardLinked) {
  const fs::path file = write("photo.jpg", "bytes");
  const MediaName name = store_.put_file(file, "jpg", true);
  EXPECT_NE(status_of(file).st_ino, status_of(store_.path_of(name)).st_ino);
  // The source changes in place; the object must not.
  FileDescriptor fd(::open(file.c_str(), O_WRONLY));
  write_all(fd.get(), "other", "the source");
  EXPECT_EQ(read_file(store_.path_of(name)), "bytes");
}

TEST_F(MediaStoreTest, AReadOnlyFileOfOursIsHardLinkedWhenAllowed) {
  const fs::path file = write("archive.jpg", "read-only bytes");
  ASSERT_EQ(::chmod(file.c_str(), 0444), 0);
  const struct stat before = status_of(file);
  const MediaName name = store_.put_file(file, "jpg", true);
  const struct stat after = status_of(file);
  EXPECT_EQ(after.st_ino, status_of(store_.path_of(name)).st_ino);
  EXPECT_EQ(before.st_mode, after.st_mode);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  EXPECT_TRUE(incoming().empty());
  // Taken in again, the object is renewed; the source keeps its time all the same.
  store_.put_file(file, "jpg", true);
  EXPECT_EQ(status_of(file).st_mtim.tv_nsec, before.st_mtim.tv_nsec);
  EXPECT_TRUE(incoming().empty());

  const fs::path other = write("second.jpg", "other bytes");
  ASSERT_EQ(::chmod(other.c_str(), 0444), 0);
  const MediaName copied = store_.put_file(other, "jpg", false);
  EXPECT_NE(status_of(other).st_ino, status_of(store_.path_of(copied)).st_ino);
}

TEST_F(MediaStoreTest, AFileOfAnotherAccountIsNotHardLinked) {
  if (::geteuid() != 0) return;  // only root can make such a file; the check itself is the same
  const fs::path file = write("theirs.jpg", "bytes");
  ASSERT_EQ(::chmod(file.c_str(), 0444), 0);
  MediaStore store(home_ / "owned", find_account("nobody"));
  const MediaName name = store.put_file(file, "jpg", true);
  EXPECT_NE(status_of(file).st_ino, status_of(store.path_of(name)).st_ino);
  EXPECT_EQ(status_of(file).st_uid, 0u);
}

TEST_F(MediaStoreTest, WhatIsNotAFileIsRefused) {
  EXPECT_EQ(code_of([&] { store_.put_file(home_ / "absent.jpg", "jpg", false); }),
            ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { store_.put_file(home_, "jpg", false); }), ErrorCode::kInvalidInput);
  const fs::path pipe = home_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(code_of([&] { store_.put_file(pipe, "jpg", false); }), ErrorCode::kInvalidInput);
  EXPECT_EQ(code_of([&] { store_.put_bytes("x", "../x"); }), ErrorCode::kInvalidInput);
  EXPECT_EQ(code_of([&] { store_.size_of({kAbcDigest, "txt"}); }), ErrorCode::kNotFound);
  EXPECT_TRUE(incoming().empty());
  EXPECT_EQ(object_count(), 0u);
}

TEST_F(MediaStoreTest, AFullDiskLeavesNothingAndSaysSo) {
  const fs::path file = write("large.mp4", std::string(3 << 20, 'x'));
  // A limit on the size of files stops a write in its middle, as a full disk does.
  struct sigaction before {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &ignore, &before);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{1 << 20, limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const ErrorCode from_file = code_of([&] { store_.put_file(file, "mp4", false); });
  const ErrorCode from_bytes = code_of([&] { store_.put_bytes(read_file(file), "mp4"); });
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::sigaction(SIGXFSZ, &before, nullptr);
  EXPECT_EQ(from_file, ErrorCode::kDiskFull);
  EXPECT_EQ(from_bytes, ErrorCode::kDiskFull);
  EXPECT_TRUE(incoming().empty());
  EXPECT_EQ(object_count(), 0u);
  store_.put_file(file, "mp4", false);
  EXPECT_EQ(object_count(), 1u);
}

TEST_F(MediaStoreTest, ACrashBeforeTheRenameLeavesOnlyWhatASweepRemoves) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("COPPICE_TEST", "1", 1);
    ::setenv("COPPICE_CRASH_AT", "media.object_written", 1);
    store_.put_bytes("abc", "txt");
    ::_exit(0);
  }
  int raw = 0;
  ASSERT_EQ(::waitpid(child, &raw, 0), child);
  ASSERT_TRUE(WIFSIGNALED(raw) && WTERMSIG(raw) == SIGKILL);
  EXPECT_EQ(object_count(), 0u);
  EXPECT_EQ(incoming().size(), 1u);
  store_.sweep_incoming(3'600'000'000);
  EXPECT_EQ(incoming().size(), 1u) << "a file that may still be written was removed";
  store_.sweep_incoming(0);
  EXPECT_TRUE(incoming().empty());
  store_.put_bytes("abc", "txt");
  EXPECT_EQ(object_count(), 1u);
}

TEST_F(MediaStoreTest, RemovingTwiceIsASuccess) {
  const MediaName name = store_.put_bytes("abc", "txt");
  store_.remove(name);
  store_.remove(name);
  EXPECT_FALSE(store_.contains(name));
}

TEST_F(MediaStoreTest, AnObjectThatWasPutAgainIsNotOld) {
  const MediaName name = store_.put_bytes("abc", "txt");
  std::int64_t first_us = 0, second_us = 0;
  store_.for_each([&](const MediaName&, std::uintmax_t, std::int64_t us) { first_us = us; });
  ::usleep(30'000);
  store_.put_bytes("abc", "txt");
  store_.for_each([&](const MediaName&, std::uintmax_t, std::int64_t us) { second_us = us; });
  EXPECT_GT(second_us, first_us);
  EXPECT_FALSE(store_.remove_if_older(name, first_us + 1));
  EXPECT_TRUE(store_.contains(name));
  EXPECT_TRUE(store_.remove_if_older(name, kFarFuture));
  EXPECT_FALSE(store_.remove_if_older(name, kFarFuture));
}

TEST_F(MediaStoreTest, ADamagedObjectIsReplacedWhenItsBytesComeAgain) {
  const MediaName name = store_.put_bytes("abc", "txt");
  fs::resize_file(store_.path_of(name), 1);
  store_.put_bytes("abc", "txt");
  EXPECT_EQ(read_file(store_.path_of(name)), "abc");
}

TEST_F(MediaStoreTest, FilesThatAreNotObjectsAreLeftOut) {
  const MediaName name = store_.put_bytes("abc", "txt");
  write_file_atomically(store_.path_of(name).parent_path() / "notes.txt", "x");
  fs::create_directory(home_ / "media" / "sha256" / "zz");
  write_file_atomically(home_ / "media" / "sha256" / "zz" / (kAbcDigest + std::string(".txt")),
                        "x");
  EXPECT_EQ(object_count(), 1u);
}

TEST_F(MediaStoreTest, FindLooksInTheCacheToo) {
  const MediaName name{kAbcDigest, "txt"};
  EXPECT_EQ(code_of([&] { store_.find(name); }), ErrorCode::kNotFound);
  const fs::path cached = home_ / "cache" / "sha256" / "ba" / (kAbcDigest + std::string(".txt"));
  fs::create_directories(cached.parent_path());
  write_file_atomically(cached, "abc");
  EXPECT_EQ(store_.find(name), cached);
  store_.put_bytes("abc", "txt");
  EXPECT_EQ(store_.find(name), store_.path_of(name));
}

// Writers of the same bytes against a collector that wants them all gone.
TEST_F(MediaStoreTest, ACollectorNeverTakesWhatWasJustStored) {
  constexpr std::int64_t kGraceUs = 60'000;
  // What the kernel's clock for files lags behind, and more; a writer that was held up for longer
  // than this proves nothing and is not counted.
  constexpr std::int64_t kSurelyYoungUs = 40'000;
  std::atomic<bool> writing = true;
  std::atomic<int> proofs = 0;
  const SystemClock clock;
  auto collector = std::async(std::launch::async, [&] {
    int removed = 0;
    while (writing)
      removed += store_.remove_if_older({kAbcDigest, "txt"}, clock.now_us() - kGraceUs) ? 1 : 0;
    return removed;
  });
  std::vector<std::future<void>> writers;
  for (int thread = 0; thread < 2; ++thread) {
    writers.push_back(std::async(std::launch::async, [&, thread] {
      for (int round = 0; round < 15; ++round) {
        const std::int64_t begun_us = clock.now_us();
        const MediaName name = store_.put_bytes("abc", "txt");
        const bool there = store_.contains(name);
        if (clock.now_us() - begun_us < kSurelyYoungUs) {
          EXPECT_TRUE(there);
          ++proofs;
        }
        ::usleep(static_cast<useconds_t>(57'000 + thread * 3'000 + round * 500));
      }
    }));
  }
  for (auto& writer : writers) writer.get();
  writing = false;
  collector.get();
  EXPECT_GT(proofs, 0);
  EXPECT_TRUE(incoming().empty());
}

}  // namespace
}  // namespace coppice
