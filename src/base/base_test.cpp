#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "base/base64.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hex.h"
#include "base/process.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/work_behind.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

TEST(Error, CodesMapToTheDocumentedExitCodes) {
  EXPECT_EQ(exit_code(ErrorCode::kUsage), 2);
  EXPECT_EQ(exit_code(ErrorCode::kPartlyDone), 3);
  EXPECT_EQ(exit_code(ErrorCode::kNotFound), 4);
  EXPECT_EQ(exit_code(ErrorCode::kRefused), 5);
  EXPECT_EQ(exit_code(ErrorCode::kIntegrity), 6);
  EXPECT_EQ(exit_code(ErrorCode::kInterrupted), 130);
  EXPECT_EQ(exit_code(ErrorCode::kPaused), 3);
  EXPECT_EQ(exit_code(ErrorCode::kCancelled), 130);
  EXPECT_EQ(exit_code(ErrorCode::kInternal), 1);
  EXPECT_EQ(code_name(ErrorCode::kAlreadyExists), "already_exists");
}

TEST(Sha256, AgreesWithThePublishedVector) {
  EXPECT_EQ(to_hex(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Base64, AgreesWithThePublishedVectors) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64(std::string("\0\xff", 2)), "AP8=");
  EXPECT_EQ(from_base64("AP8="), std::string("\0\xff", 2));
  EXPECT_EQ(from_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(from_base64(""), "");
  for (const char* const wrong :
       {"Z", "Zg=", "Zg==Zg==", "Zh==", " Zg=", "Zg\n=", "====", "Z$=="}) {
    EXPECT_EQ(from_base64(wrong), std::nullopt) << wrong;
  }
  // Pieces that are encoded one after another join without padding.
  const std::string large((3 << 20) + 1, '\0');
  const std::string text = to_base64(large);
  EXPECT_EQ(text.size(), (large.size() + 2) / 3 * 4);
  EXPECT_EQ(text.find_first_not_of('A'), text.size() - 2);
}

TEST(Files, AtomicWriteReplacesTheWholeFile) {
  const ScratchFolder scratch(fs::temp_directory_path());
  const fs::path file = scratch.path() / "a";
  write_file_atomically(file, "first, and longer");
  write_file_atomically(file, "second");
  EXPECT_EQ(read_file(file), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path()), {}), 1);
  EXPECT_EQ(to_hex(sha256_file(file)), to_hex(sha256("second")));
}

TEST(Files, AMissingFileIsNamed) {
  try {
    read_file("/nowhere/at/all");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(error.message().find("/nowhere/at/all"), std::string::npos);
  }
}

TEST(Files, ALockIsHeldOnce) {
  const ScratchFolder scratch(fs::temp_directory_path());
  auto held = try_lock_file(scratch.path() / "lock");
  ASSERT_TRUE(held);
  EXPECT_FALSE(try_lock_file(scratch.path() / "lock"));
  held.reset();
  EXPECT_TRUE(try_lock_file(scratch.path() / "lock"));
}

TEST(Process, OutputAndExitCodeComeBack) {
  const RunResult result =
      run_program({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}}, milliseconds(5000));
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(result.status.code, 3);
  EXPECT_FALSE(result.timed_out);
}

TEST(Process, AHangingProgramIsKilledAtItsDeadline) {
  const RunResult result = run_program({.argv = {"sleep", "30"}}, milliseconds(100));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.status.signal, 9);
}

TEST(Process, AMissingProgramIsAnError) {
  EXPECT_THROW(ChildProcess::start({.argv = {"/no/such/program"}}), Error);
}

TEST(Process, AClearedEnvironmentLeaksNothing) {
  ::setenv("COPPICE_TEST_SECRET", "canary", 1);
  const RunResult result =
      run_program({.argv = {"env"}, .environment = {{"GIVEN", "1"}}, .clear_environment = true},
                  milliseconds(5000));
  EXPECT_EQ(result.output.find("canary"), std::string::npos);
  EXPECT_NE(result.output.find("GIVEN=1"), std::string::npos);
}

TEST(Text, FindsTheFirstByteThatIsNotUtf8) {
  EXPECT_FALSE(first_invalid_utf8("plain, é, 日本, 😀"));
  EXPECT_EQ(first_invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(first_invalid_utf8(std::string_view("a\0b", 3)), 1u);
  EXPECT_EQ(first_invalid_utf8("\xc0\xaf"), 0u);      // overlong
  EXPECT_EQ(first_invalid_utf8("\xed\xa0\x80"), 0u);  // a surrogate
  EXPECT_EQ(first_invalid_utf8("x\xe6\x97"), 1u);     // cut off
}

TEST(Text, LinesAndColumnsCountCharacters) {
  const LineColumn place = line_column("a\né b", 5);
  EXPECT_EQ(place.line, 2u);
  EXPECT_EQ(place.column, 3u);
}

TEST(Text, NearestNameIsOnlyGivenWhenItIsNear) {
  const std::vector<std::string> names = {"resize", "rotate", "width"};
  EXPECT_EQ(nearest_name("resise", names), "resize");
  EXPECT_EQ(nearest_name("Widht", names), "width");
  EXPECT_FALSE(nearest_name("perceptual", names));
}

TEST(Text, AWordForTheShellIsQuotedWhereItMust) {
  EXPECT_EQ(shell_quoted("/srv/media-1.0"), "/srv/media-1.0");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("/my home"), "'/my home'");
  EXPECT_EQ(shell_quoted("it's $(x)"), "'it'\\''s $(x)'");
}

TEST(Clock, BackoffGrowsAndStaysBounded) {
  for (int attempt = 1; attempt < 40; ++attempt) {
    const auto pause = backoff(attempt, milliseconds(10), milliseconds(1000));
    EXPECT_GE(pause, milliseconds(5));
    EXPECT_LE(pause, milliseconds(1000));
  }
}

TEST(CrashPoint, EveryNameIsListedOnce) {
  std::vector<std::string> names;
  for (const CrashPointInfo& point : crash_points()) names.push_back(point.name);
  EXPECT_GE(names.size(), 12u);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(Hex, ComesBackOrIsNone) {
  EXPECT_EQ(from_hex("00ff1a"), std::string("\0\xff\x1a", 3));
  EXPECT_EQ(from_hex(""), "");
  for (const char* const wrong : {"0", "0g", "FF", " 0", "0x"}) {
    EXPECT_EQ(from_hex(wrong), std::nullopt) << wrong;
  }
}

TEST(WorkBehind, FinishWaitsAndThrowsWhatTheWorkThrew) {
  WorkBehind behind;
  behind.finish();  // of nothing
  std::promise<void> gate;
  bool done = false;
  behind.start([&] {
    gate.get_future().wait();
    done = true;
  });
  gate.set_value();
  behind.finish();
  EXPECT_TRUE(done);
  behind.start([] { throw Error(ErrorCode::kIo, "the disk is full"); });
  behind.wait();
  EXPECT_THROW(behind.finish(), Error);
  behind.finish();  // it is told once
}

TEST(WorkBehind, ItsEndWaitsForTheWork) {
  std::atomic<bool> done = false;
  {
    WorkBehind behind;
    behind.start([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      done = true;
      throw Error(ErrorCode::kIo, "lost with it");
    });
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace coppice
