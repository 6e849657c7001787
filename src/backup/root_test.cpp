// Roots are a format: the vectors of docs/formats/root.md, and sums as a group.
#include <gtest/gtest.h>

#include "backup/field_hash.h"
#include "backup/lattice_sum.h"
#include "backup/row_sums.h"
#include "base/error.h"
#include "pg/test_server.h"

namespace coppice {
namespace {

using Values = std::vector<std::optional<std::string>>;

constexpr const char* kCell = "coppice root 1 cell";
constexpr const char* kRow = "coppice root 1 row";

LatticeSum sum_of(const std::vector<Values>& elements, const char* form = kCell) {
  ElementExpander expander;
  LatticeSum sum;
  for (const Values& values : elements) sum.add(expander.expand(element_of(form, values)));
  return sum;
}

std::string hex_of(const LatticeSum& sum) { return to_hex(sum.digest()); }

TEST(FieldHash, EncodesAsTheFormatPageSays) {
  std::string bytes;
  append_text(bytes, "é");
  append_missing(bytes);
  append_count(bytes, 3);
  EXPECT_EQ(to_hex(bytes), "010200000000000000c3a9000300000000000000");
}

TEST(LatticeSum, IsThatOfTheFormatPage) {
  const Digest street = element_of(kCell, {"1", "Street"});
  EXPECT_EQ(to_hex(street), "e9a0dafdc6ee61ea3e11adcc2cc2bac46a7d8720655d8027d7fc1541f2f44333");
  ElementExpander expander;
  const auto numbers = expander.expand(street);
  EXPECT_EQ(std::vector<int>(numbers.begin(), numbers.begin() + 4),
            (std::vector<int>{38774, 29568, 3807, 52650}));
  EXPECT_EQ(hex_of(LatticeSum()),
            "935e401dcf0b1de34669a5888db5ed8db46ec7f498b3cecccd3f16d4621b3742");
  EXPECT_EQ(hex_of(sum_of({{"1", "Street"}, {"2", std::nullopt}, {"3", ""}})),
            "be02f40f3e8a835775ce6031b8ec8543c7594d8a4fd41b9b39b6feda3a9a0b6f");
  EXPECT_EQ(hex_of(sum_of({{"a"}, {"a"}, {std::nullopt}}, kRow)),
            "459d52b319c83451cd4279d90c62c4e63c91d7c9ed412df91b366959e0364d56");
}

TEST(LatticeSum, DoesNotDependOnTheOrder) {
  EXPECT_EQ(sum_of({{"1", "a"}, {"2", "b"}}), sum_of({{"2", "b"}, {"1", "a"}}));
}

TEST(LatticeSum, TellsSimilarElementsApart) {
  const std::vector<std::vector<Values>> different = {
      {},           {{"1", "a"}}, {{"1", "b"}},          {{"2", "a"}},
      {{"1a", ""}}, {{"1", ""}},  {{"1", std::nullopt}}, {{"1", "a"}, {"1", "a"}}};
  for (std::size_t i = 0; i < different.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      EXPECT_FALSE(sum_of(different[i]) == sum_of(different[k])) << i << " and " << k;
    }
  }
}

TEST(LatticeSum, SubtractsWhatWasAdded) {
  LatticeSum sum = sum_of({{"1", "a"}, {"2", "b"}, {"3", "c"}});
  sum.subtract(sum_of({{"2", "b"}}));
  sum.add(sum_of({{"4", "d"}}));
  EXPECT_EQ(sum, sum_of({{"4", "d"}, {"1", "a"}, {"3", "c"}}));
  EXPECT_EQ(sum.count(), 3);
}

TEST(LatticeSum, CountsAnElementThatIsThere65536Times) {
  ElementExpander expander;
  LatticeSum sum;
  LatticeSum other;
  for (int i = 0; i < 65'536; ++i) {
    sum.add(expander.expand(element_of(kRow, {"a"})));
    other.add(expander.expand(element_of(kRow, {"b"})));
  }
  EXPECT_EQ(hex_of(sum), "d0cd12cebe5676a21af661ab089d21984f59a50fea234b4bac508e2230c9e6c3");
  EXPECT_FALSE(sum == other);
}

TEST(LatticeSum, ComesBackFromItsBytes) {
  const LatticeSum sum = sum_of({{"1", "a"}, {"2", "b"}});
  const auto back = LatticeSum::from_bytes(sum.count(), sum.bytes());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, sum);
  EXPECT_FALSE(LatticeSum::from_bytes(2, sum.bytes().substr(1)).has_value());
}

class RowSumsTest : public testing::Test {
 protected:
  RowSumsTest() { canonical_session(connection_); }
  LatticeSum cells(const std::string& query) {
    return sum_rows(connection_, query, {.form = kCell, .columns = 2, .key_columns = 1}).at(0);
  }
  pg::TestDatabase database_;
  pg::Connection connection_ = database_.connect();
};

TEST_F(RowSumsTest, ReadsEveryByteOfAValue) {
  const std::string odd = "tab\t back\\slash \\N \\. line\n return\r \b\f\v 'quote' é 🎬";
  connection_.exec("CREATE TABLE public.t (id int, v text)");
  connection_.exec_params("INSERT INTO public.t VALUES (1, $1), (2, ''), (3, NULL), (4, '\\N')",
                          {odd});
  EXPECT_EQ(cells("SELECT id, v FROM public.t"),
            sum_of({{"1", odd}, {"2", ""}, {"3", std::nullopt}, {"4", "\\N"}}));
}

TEST_F(RowSumsTest, ManyRowsByThreadsAreTheSameAsOneByOne) {
  std::vector<Values> elements;
  for (int i = 1; i <= 4000; ++i) elements.push_back({std::to_string(i), std::string(900, 'x')});
  std::uint64_t heard = 0;
  const auto sums = sum_rows(
      connection_, "SELECT g, repeat('x', 900) FROM generate_series(1, 4000) g",
      {.form = kCell, .columns = 2, .key_columns = 1}, [&](std::uint64_t rows) { heard += rows; });
  EXPECT_EQ(sums.at(0), sum_of(elements));
  EXPECT_EQ(heard, 4000u);
}

TEST_F(RowSumsTest, AStopEndsTheRead) {
  EXPECT_THROW(sum_rows(connection_, "SELECT g, repeat('x', 900) FROM generate_series(1, 100000) g",
                        {.form = kCell, .columns = 2, .key_columns = 1},
                        [](std::uint64_t) { throw Error(ErrorCode::kInterrupted, "stopped"); }),
               Error);
  EXPECT_EQ(connection_.exec("SELECT 1").integer(0, 0), 1);
}

TEST_F(RowSumsTest, RowsWithoutColumnsCount) {
  const RowForm form = {.form = kRow, .whole_rows = true};
  EXPECT_EQ(sum_rows(connection_, "SELECT FROM generate_series(1, 3)", form).at(0),
            sum_of({{}, {}, {}}, kRow));
}

TEST_F(RowSumsTest, ValuesDoNotDependOnTheSettingsOfTheDatabase) {
  const std::string query =
      "SELECT 1, row(timestamptz '2026-11-22 10:00+01', interval '1 mon 2 days', '\\x00ff'::bytea, "
      "0.1::float8 + 0.2, '-0'::float8, 'NaN'::float4, 12.5::numeric::money, "
      "array[date '2026-01-02'], 'pg_class'::regclass)::text";
  const LatticeSum before = cells(query);
  connection_.exec(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''', "
      "current_database()); EXECUTE format('ALTER DATABASE %I SET DateStyle = ''German''', "
      "current_database()); EXECUTE format('ALTER DATABASE %I SET IntervalStyle = "
      "''iso_8601''', current_database()); EXECUTE format('ALTER DATABASE %I SET bytea_output = "
      "''escape''', current_database()); EXECUTE format('ALTER DATABASE %I SET "
      "extra_float_digits = -5', current_database()); END $$");
  pg::Connection other = database_.connect();
  canonical_session(other);
  const RowForm form = {.form = kCell, .columns = 2, .key_columns = 1};
  EXPECT_EQ(sum_rows(other, query, form).at(0), before);
  EXPECT_EQ(before, sum_of({{"1",
                             "(\"2026-11-22 09:00:00+00\",\"1 mon 2 days\",\"\\\\x00ff\","
                             "0.30000000000000004,-0,NaN,$12.50,{2026-01-02},pg_class)"}}));
}

}  // namespace
}  // namespace coppice
