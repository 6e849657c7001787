// Random SELECTs with engine functions give what PostgreSQL gives when the functions are its own.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "exec/select_fixture.h"

namespace coppice::exec {
namespace {

using testing::SelectTest;

// Columns that a FROM clause offers, by kind.
struct Columns {
  std::vector<std::string> numbers, texts, images, videos;
};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string select(int depth) {
    switch (below(depth > 0 ? 8 : 4)) {
      case 0:
        return grouped(depth);
      case 1:
        return distinct(depth);
      case 4:
        return "(" + two_columns(depth - 1) + ") UNION " + one_of({"", "ALL "}) + "(" +
               two_columns(depth - 1) + ")";
      case 5:
        return "WITH q AS (" + named(depth - 1) + ") " + plain("q", named_columns("q"), depth - 1);
      case 6:
        return "WITH q AS (" + named(depth - 1) + ") SELECT a.n1, b.n2, " +
               number({{"a.n1", "b.n2"}, {}, {"a.p"}, {}}, 1) + " FROM q a JOIN q b ON a.n1 = b.n2";
      default: {
        const auto [from, columns] = source(depth);
        return plain(from, columns, depth);
      }
    }
  }

 private:
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool chance(int percent) { return below(100) < percent; }
  std::string one_of(const std::vector<std::string>& choices) {
    return choices[static_cast<std::size_t>(below(static_cast<int>(choices.size())))];
  }

  static Columns named_columns(const std::string& alias) {
    return {{alias + ".n1", alias + ".n2"}, {alias + ".t"}, {alias + ".p"}, {}};
  }

  std::pair<std::string, Columns> source(int depth) {
    const Columns film = {{"film.id", "film.seconds::int"},
                          {"film.title"},
                          {"film.poster", "film.still"},
                          {"film.clip"}};
    const Columns shot = {{"shot.id", "film_id"}, {}, {"img"}, {}};
    const Columns both = {
        {"film.id", "shot.id", "film_id"}, {"title"}, {"poster", "still", "shot.img"}, {"clip"}};
    switch (below(depth > 0 ? 6 : 4)) {
      case 0:
        return {"film", film};
      case 1:
        return {"shot", shot};
      case 2:
        return {"film JOIN shot ON film_id = film.id", both};
      case 3:
        return {"film LEFT JOIN shot ON film_id = film.id AND shot.id < 20", both};
      case 4:
        return {"(" + named(depth - 1) + ") AS s", named_columns("s")};
      default: {
        Columns columns = named_columns("s");
        columns.numbers.push_back("shot.id");
        columns.images.push_back("shot.img");
        return {"shot " + one_of({"", "LEFT ", "RIGHT "}) + "JOIN (" + named(depth - 1) +
                    ") AS s ON s.n1 = shot.id",
                columns};
      }
    }
  }

  // The columns n1, n2, t, p.
  std::string named(int depth) {
    const auto [from, columns] = source(depth);
    const std::string list = number(columns, 2) + " AS n1, " + number(columns, 1) + " AS n2, " +
                             text(columns, 1) + " AS t, " + image(columns, 2) + " AS p";
    std::string query = "SELECT " + std::string(chance(15) ? "DISTINCT " : "") + list + " FROM " +
                        from + where(columns);
    if (chance(20)) query += " ORDER BY 1, 2, 3, 4 LIMIT " + std::to_string(1 + below(12));
    return query;
  }

  std::string two_columns(int depth) {
    const auto [from, columns] = source(depth);
    return "SELECT " + number(columns, 2) + " AS a, " + image(columns, 1) + "::text AS b FROM " +
           from + where(columns);
  }

  std::string plain(const std::string& from, const Columns& columns, int depth) {
    std::string list = chance(10) ? "*" : number(columns, 3);
    int count = list == "*" ? 0 : 1;
    for (; count > 0 && chance(50) && count < 4; ++count) {
      list += ", " + one_of({number(columns, depth + 1), image(columns, 2), text(columns, 2)});
    }
    std::string query = "SELECT " + list + " FROM " + from + where(columns);
    if (count > 0 && chance(50)) query += order_by_all(count);
    return query;
  }

  std::string distinct(int depth) {
    const auto [from, columns] = source(depth);
    return "SELECT DISTINCT " + number(columns, 2) + ", " + number(columns, 2) + " FROM " + from +
           where(columns) + (chance(50) ? order_by_all(2) : "");
  }

  std::string grouped(int depth) {
    const auto [from, columns] = source(depth);
    const std::string key = one_of(columns.numbers);
    const std::string value = one_of(columns.numbers);
    return "SELECT " + key + " AS k, count(*), sum(" + value + "), width(min(" +
           one_of(columns.images) + ")) + count(*) FROM " + from + where(columns) + " GROUP BY " +
           key + (chance(30) ? " HAVING count(*) > 1" : "") + (chance(50) ? " ORDER BY k" : "");
  }

  // A total order, for the results are compared as lists.
  std::string order_by_all(int count) {
    std::string order = " ORDER BY ";
    for (int i = 1; i <= count; ++i) {
      order += (i == 1 ? "" : ", ") + std::to_string(i) + one_of({"", " DESC", " NULLS FIRST"});
    }
    if (chance(50)) order += " LIMIT " + std::to_string(below(20));
    if (chance(20)) order += " OFFSET " + std::to_string(below(5));
    return order;
  }

  std::string where(const Columns& columns) {
    if (chance(40)) return "";
    std::string condition = " WHERE " + boolean(columns, 2);
    while (chance(40)) condition += " AND " + boolean(columns, 1);
    return condition;
  }

  std::string number(const Columns& columns, int depth) {
    if (depth <= 0) return one_of({one_of(columns.numbers), std::to_string(below(20))});
    switch (below(9)) {
      case 0:
      case 1:
        return "width(" + image(columns, depth - 1) + ")";
      case 2:
        return "height(" + image(columns, depth - 1) + ")";
      case 3:
        return "(" + number(columns, depth - 1) + one_of({" + ", " - "}) +
               number(columns, depth - 1) + ")";
      case 4:
        return "(" + number(columns, depth - 1) + " / nullif(" + number(columns, depth - 1) +
               ", 0))";
      case 5:
        return "coalesce(" + number(columns, depth - 1) + ", " + number(columns, depth - 1) + ")";
      case 6:
        return "CASE WHEN " + boolean(columns, depth - 1) + " THEN " + number(columns, depth - 1) +
               " WHEN " + boolean(columns, depth - 1) + " THEN " + number(columns, depth - 1) +
               " ELSE " + number(columns, depth - 1) + " END";
      case 7:
        return "length(" + text(columns, depth - 1) + ")";
      default:
        return one_of(columns.numbers);
    }
  }

  std::string image(const Columns& columns, int depth) {
    if (depth <= 0) return one_of(columns.images);
    switch (below(7)) {
      case 0:
        return "resize(" + image(columns, depth - 1) + ", " + number(columns, depth - 1) + ")";
      case 1:
        return "encode(" + image(columns, depth - 1) + ", 'webp', quality => " +
               number(columns, depth - 1) + ")";
      case 2:
        return "coalesce(" + image(columns, depth - 1) + ", " + image(columns, depth - 1) + ")";
      case 3:
        return "CASE WHEN " + boolean(columns, depth - 1) + " THEN " + image(columns, depth - 1) +
               " END";
      case 4:
        if (columns.videos.empty())
          return "resize(height => 1, image => " + columns.images[0] + ", width => 2)";
        return "frame_at(" + one_of(columns.videos) + ", " + number(columns, depth - 1) + ")";
      default:
        return one_of(columns.images);
    }
  }

  std::string text(const Columns& columns, int depth) {
    if (depth <= 0 && !columns.texts.empty()) return one_of(columns.texts);
    switch (below(3)) {
      case 0:
        return "mime_type(" + image(columns, depth - 1) + ")";
      case 1:
        return "('n' || " + number(columns, depth - 1) + ")";
      default:
        return columns.texts.empty() ? "'x'::text" : "lower(" + one_of(columns.texts) + ")";
    }
  }

  std::string boolean(const Columns& columns, int depth) {
    if (depth <= 0) return one_of(columns.numbers) + " > " + std::to_string(below(10));
    switch (below(6)) {
      case 0:
        return image(columns, depth - 1) + one_of({" IS NULL", " IS NOT NULL"});
      case 1:
        return "(" + boolean(columns, depth - 1) + " OR " + boolean(columns, depth - 1) + ")";
      case 2:
        return "(NOT " + boolean(columns, depth - 1) + ")";
      case 3:
        return number(columns, depth - 1) + " BETWEEN " + number(columns, 0) + " AND 30";
      case 4:
        return number(columns, depth - 1) + " IN (1, 3, 9, " + number(columns, 0) + ")";
      default:
        return number(columns, depth - 1) + one_of({" < ", " >= ", " <> "}) +
               number(columns, depth - 1);
    }
  }

  std::mt19937 random_;
};

TEST_F(SelectTest, RandomStatementsGiveWhatPostgresqlWouldGive) {
  const char* const wanted = std::getenv("COPPICE_TEST_SELECTS");
  const int count = wanted ? std::atoi(wanted) : 300;
  for (int seed = 1; seed <= count && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_same(Generator(static_cast<unsigned>(seed)).select(2));
  }
}

}  // namespace
}  // namespace coppice::exec
