// What only real pipes, signals and a full disk show.
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <chrono>
#include <thread>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

#include "cli/invoke.h"
#include "cli/stop_signals.h"

namespace coppice::cli {
namespace {

std::size_t allocated_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return __sanitizer_get_current_allocated_bytes();
#else
  return ::mallinfo2().uordblks;
#endif
}

struct PipeEnds {
  FileDescriptor read;
  FileDescriptor write;
};

PipeEnds make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("make a pipe");
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

void give_many_rows(ResultSink& sink, int rows, const std::atomic<int>& stops) {
  const ResultColumn columns[] = {{"id", "bigint"}, {"text", "text"}};
  sink.begin_rows(columns);
  for (int i = 0; i < rows; ++i) {
    if (stops > 0) throw Error(ErrorCode::kInterrupted, "stopped");
    const std::string id = std::to_string(i);
    const std::optional<std::string_view> values[] = {id, "some text of a usual length"};
    sink.row(values);
  }
  sink.end_rows();
}

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() : factory_(state_), null_(::open("/dev/null", O_RDWR | O_CLOEXEC)) {
    ::signal(SIGPIPE, SIG_IGN);
  }
  int run_to(int output_fd, const std::vector<std::string>& arguments) {
    errors_ = FileDescriptor(::memfd_create("err", MFD_CLOEXEC));
    return run(arguments, factory_, {null_.get(), output_fd, errors_.get()},
               {{"COPPICE_HOME", "/nonexistent"}});
  }

  FakeState state_;
  FakeFactory factory_;
  FileDescriptor null_;
  FileDescriptor errors_;
};

TEST_F(StreamTest, AReaderThatLeavesEndsAQueryQuietly) {
  state_.give = [this](ResultSink& sink) { give_many_rows(sink, 10'000'000, state_.stops); };
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"sql", "SELECT * FROM t;"}, {"export", "t"}, {"history", "t"}}) {
    state_.stops = 0;
    PipeEnds pipe = make_pipe();
    pipe.read.reset();
    EXPECT_EQ(run_to(pipe.write.get(), arguments), 0);
    EXPECT_EQ(state_.stops, 1);
    EXPECT_EQ(content_of(errors_.get()), "");
  }
}

TEST_F(StreamTest, AReaderThatLeavesDoesNotStopAChange) {
  bool finished = false;
  state_.give = [&](ResultSink& sink) {
    give_many_rows(sink, 50'000, state_.stops);
    finished = true;
  };
  for (const char* sql : {"INSERT INTO t SELECT 1 RETURNING *", "SELECT 1; DELETE FROM t",
                          "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a RETURNING *"}) {
    finished = false;
    PipeEnds pipe = make_pipe();
    pipe.read.reset();
    EXPECT_EQ(run_to(pipe.write.get(), {"sql", sql}), 0);
    EXPECT_TRUE(finished) << sql;
    EXPECT_EQ(state_.stops, 0);
  }
}

TEST_F(StreamTest, AMediaReaderThatLeavesIsNoError) {
  PipeEnds pipe = make_pipe();
  pipe.read.reset();
  EXPECT_EQ(run_to(pipe.write.get(), {"media", "cat", "media:1"}), 0);
}

TEST_F(StreamTest, AFullDiskIsAnErrorNotASilentLoss) {
  state_.give = [this](ResultSink& sink) { give_many_rows(sink, 10, state_.stops); };
  const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(run_to(full.get(), {"sql", "SELECT 1"}), 1);
  EXPECT_NE(content_of(errors_.get()).find("standard output"), std::string::npos);
}

TEST_F(StreamTest, AFullDiskUnderStandardErrorStopsNothing) {
  const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  bool finished = false;
  state_.give = [&](ResultSink& sink) {
    sink.notice("something worth knowing");
    finished = true;
    throw Error(ErrorCode::kNotFound, "and then an error");
  };
  const std::vector<std::string> arguments = {"sql", "DELETE FROM t"};
  const int code = run(arguments, factory_, {null_.get(), null_.get(), full.get()},
                       {{"COPPICE_HOME", "/nonexistent"}});
  EXPECT_EQ(code, 4);
  EXPECT_TRUE(finished);
}

TEST_F(StreamTest, ManyRowsTakeConstantMemory) {
  std::size_t growth = 0;
  state_.give = [&](ResultSink& sink) {
    const ResultColumn columns[] = {{"text", "text"}};
    const std::string text(100, 'x');
    const std::optional<std::string_view> values[] = {text};
    sink.begin_rows(columns);
    std::size_t before = 0;
    for (int i = 0; i < 100'000; ++i) {
      sink.row(values);
      if (i == 20'000) before = allocated_bytes();
    }
    growth = allocated_bytes() - before;
    sink.end_rows();
  };
  for (const char* form : {"--json", "--csv", "--quiet"}) {
    growth = 1 << 30;
    EXPECT_EQ(run_to(null_.get(), {"sql", "SELECT 1", form}), 0);
    // 80,000 rows lie between the two measurements: 8 MB if they were kept.
    EXPECT_LT(static_cast<std::ptrdiff_t>(growth), 512 << 10) << form;
  }
}

TEST_F(StreamTest, TheFirstSignalAsksTheEngineToStop) {
  state_.give = [this](ResultSink&) {
    ::raise(SIGTERM);
    if (state_.stops > 0) throw Error(ErrorCode::kInterrupted, "stopped before anything changed");
  };
  EXPECT_EQ(run_to(null_.get(), {"sql", "UPDATE t SET a = 1"}), 130);
  EXPECT_EQ(state_.stops, 1);
  EXPECT_NE(content_of(errors_.get()).find("stopped before"), std::string::npos);
}

TEST_F(StreamTest, TheSecondSignalEndsAtOnce) {
  EXPECT_EXIT(
      {
        FakeEngine engine(state_);
        const StopSignals signals(engine);
        ::raise(SIGINT);
        ::raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
}

TEST_F(StreamTest, ASignalWhileInputIsReadStopsTheInsert) {
  PipeEnds pipe = make_pipe();
  write_all(pipe.write.get(), "id\n1\n", "pipe");
  const pthread_t reader = ::pthread_self();
  std::thread interrupter([reader, fd = pipe.read.get()] {
    // Not before the first part has been read.
    for (int waiting = 1; waiting > 0; ::usleep(1000)) ::ioctl(fd, FIONREAD, &waiting);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    ::pthread_kill(reader, SIGINT);
  });
  errors_ = FileDescriptor(::memfd_create("err", MFD_CLOEXEC));
  const std::vector<std::string> arguments = {"insert", "t", "--from", "-", "--format", "csv"};
  const int code = run(arguments, factory_, {pipe.read.get(), null_.get(), errors_.get()},
                       {{"COPPICE_HOME", "/nonexistent"}});
  interrupter.join();
  EXPECT_EQ(code, 130) << content_of(errors_.get());
  EXPECT_TRUE(state_.calls.empty()) << "half an input must not be inserted";
}

}  // namespace
}  // namespace coppice::cli
