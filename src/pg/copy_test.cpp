#include "pg/copy.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "pg/test_server.h"
#include "pg/transaction.h"

namespace coppice::pg {
namespace {

std::int64_t peak_memory_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

class CopyTest : public testing::Test {
 protected:
  void SetUp() override { connection_.exec("CREATE TABLE t (id bigint, name text)"); }
  std::int64_t count() { return connection_.exec("SELECT count(*) FROM t").integer(0, 0); }

  TestDatabase database_;
  Connection connection_ = database_.connect();
};

TEST_F(CopyTest, StoresRowsWhateverThePieces) {
  CopyIn copy(connection_, "COPY t FROM STDIN");
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i) + "\tname " + std::to_string(i) + "\n";
  for (std::size_t at = 0, step = 1; at < text.size(); at += step, step = step * 7 % 100003) {
    copy.write(std::string_view(text).substr(at, step));
  }
  EXPECT_EQ(copy.finish(), 20000u);
  EXPECT_EQ(connection_.exec("SELECT sum(id) FROM t").integer(0, 0), 199990000);
}

TEST_F(CopyTest, LeftWithoutFinishItStoresNothing) {
  {
    CopyIn copy(connection_, "COPY t FROM STDIN");
    copy.write("1\tone\n");
  }
  EXPECT_EQ(count(), 0);
  CopyIn copy(connection_, "COPY t FROM STDIN");
  EXPECT_EQ(copy.finish(), 0u);
}

TEST_F(CopyTest, WrongDataNamesItsLine) {
  CopyIn copy(connection_, "COPY t FROM STDIN (FORMAT csv)");
  copy.write("1,one\n2\n");
  try {
    copy.finish();
    FAIL();
  } catch (const ServerError& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    EXPECT_NE(error.fields().context.find("line 2"), std::string::npos);
  }
  EXPECT_EQ(count(), 0);
}

TEST_F(CopyTest, RefusesWhatIsNotACopy) {
  EXPECT_THROW(CopyIn(connection_, "SELECT 1"), Error);
  EXPECT_THROW(CopyIn(connection_, "COPY t TO STDOUT"), Error);
  EXPECT_THROW(CopyOut(connection_, "COPY t FROM STDIN"), Error);
  EXPECT_THROW(CopyIn(connection_, "COPY missing FROM STDIN"), ServerError);
  EXPECT_EQ(count(), 0);
}

TEST_F(CopyTest, ALostConnectionIsUnavailable) {
  const std::int64_t before = count();
  {
    CopyIn copy(connection_, "COPY t FROM STDIN");
    copy.write("1\tone\n");
    Connection other = database_.connect();
    other.exec_params("SELECT pg_terminate_backend($1)",
                      {std::to_string(connection_.backend_pid())});
    try {
      const std::string row = "2\t" + std::string(1000, 'x') + "\n";
      for (int i = 0; i < 100000; ++i) copy.write(row);
      copy.finish();
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.message();
    }
  }
  connection_ = database_.connect();
  EXPECT_EQ(count(), before);
}

TEST_F(CopyTest, OutGivesTheRowsBack) {
  connection_.exec("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 1000) i");
  CopyOut copy(connection_, "COPY t TO STDOUT");
  int rows = 0;
  while (const auto row = copy.read()) {
    if (++rows == 1) {
      EXPECT_EQ(*row, "1\tx\n");
    }
  }
  EXPECT_EQ(rows, 1000);
  EXPECT_FALSE(copy.read());
  EXPECT_EQ(count(), 1000);
}

TEST_F(CopyTest, OutMayBeLeftEarlyOrFailLate) {
  {
    CopyOut copy(connection_, "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT");
    EXPECT_TRUE(copy.read());
  }
  CopyOut failing(connection_, "COPY (SELECT 1 / (5 - i) FROM generate_series(1, 9) i) TO STDOUT");
  EXPECT_THROW(
      {
        while (failing.read()) {
        }
      },
      ServerError);
  EXPECT_EQ(count(), 0);
}

// A quarter of a gigabyte each way with next to no memory: what is held does not grow with it.
TEST_F(CopyTest, MemoryIsBounded) {
  connection_.exec("CREATE UNLOGGED TABLE large (name text)");
  Transaction transaction(connection_);
  const std::string row = std::string(65536, 'x') + "\n";
  const std::int64_t before = peak_memory_kib();
  {
    CopyIn copy(connection_, "COPY large FROM STDIN");
    for (int i = 0; i < 4096; ++i) copy.write(row);
    EXPECT_EQ(copy.finish(), 4096u);
  }
  std::size_t bytes = 0;
  CopyOut out(connection_, "COPY large TO STDOUT");
  while (const auto piece = out.read()) bytes += piece->size();
  EXPECT_EQ(bytes, 4096u * row.size());
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(peak_memory_kib() - before, 16 << 10);
#else
  EXPECT_LT(peak_memory_kib() - before, 600 << 10);  // the sanitizer keeps freed memory
#endif
}

}  // namespace
}  // namespace coppice::pg
