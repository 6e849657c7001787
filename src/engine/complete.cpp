#include "engine/complete.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.h"
#include "sql/lexer.h"
#include "sql/split.h"

namespace coppice::engine {
namespace {

using sql::Token;
using sql::TokenKind;

constexpr std::array<std::string_view, 16> kStatements = {
    "SELECT",       "INSERT INTO",   "UPDATE",          "DELETE FROM",
    "CREATE TABLE", "CREATE SCHEMA", "CREATE VIEW",     "CREATE INDEX",
    "ALTER TABLE",  "DROP TABLE",    "DROP VIEW",       "TRUNCATE",
    "EXPLAIN",      "COPY",          "GRANT SELECT ON", "COMMENT ON"};
constexpr std::array<std::string_view, 34> kClauses = {
    "FROM",        "WHERE",      "GROUP BY",    "HAVING",      "ORDER BY",  "LIMIT",
    "OFFSET",      "JOIN",       "LEFT JOIN",   "ON",          "USING",     "AND",
    "OR",          "NOT",        "IS NULL",     "IS NOT NULL", "IN",        "LIKE",
    "BETWEEN",     "AS",         "DISTINCT",    "CASE",        "WHEN",      "THEN",
    "ELSE",        "END",        "SET",         "VALUES",      "RETURNING", "UNION",
    "ON CONFLICT", "ADD COLUMN", "DROP COLUMN", "ALTER COLUMN"};
constexpr std::array<std::string_view, 8> kBeforeRelation = {"from",  "join",     "into", "update",
                                                             "table", "truncate", "copy", "view"};
constexpr std::array<std::string_view, 14> kTypes = {
    "bigint",  "boolean", "date", "double precision", "integer", "jsonb",
    "numeric", "text",    "uuid", "timestamptz",      "image",   "video",
    "audio",   "document"};

constexpr std::size_t kGuessedRelations = 50;

// The last statement as words; of quoted names without the quotes.
struct Words {
  struct Word {
    std::string text;  // folded to lower case unless quoted
    bool is_name = false;
    bool is_dot = false;
  };
  std::vector<Word> before;  // the words in front of the one at the cursor
  std::string at_cursor;     // what is typed of it, maybe nothing
};

Words words_of(std::string_view text) {
  Words words;
  std::string_view statement;
  for (const sql::StatementText& part : sql::split(text)) {
    statement = part.terminated ? std::string_view() : text.substr(part.offset);
  }
  sql::Lexer lexer(statement);
  std::size_t end = 0;
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) {
    const std::string_view spelled = lexer.text(token);
    Words::Word word;
    word.is_dot = lexer.is_punctuation(token, '.');
    word.is_name =
        token.kind == TokenKind::kIdentifier || token.kind == TokenKind::kQuotedIdentifier;
    word.text = token.kind == TokenKind::kQuotedIdentifier
                    ? std::string(spelled.substr(1, spelled.size() - 2))
                    : lower(spelled);
    words.before.push_back(std::move(word));
    end = token.end;
  }
  const bool touches = end == statement.size() && !words.before.empty();
  if (touches && words.before.back().is_name) {
    words.at_cursor = words.before.back().text;
    words.before.pop_back();
  }
  return words;
}

class Completion {
 public:
  Completion(EngineContext& context, Words words) : context_(context), words_(std::move(words)) {
    for (const sql::QualifiedName& name : context.catalog.all_tables()) relations_.push_back(name);
    for (const sql::QualifiedName& name : context.catalog.all_views()) relations_.push_back(name);
  }

  std::vector<std::string> run() {
    const auto& before = words_.before;
    if (before.empty()) {
      offer_all(kStatements);
    } else if (before.back().is_dot) {
      offer_behind_dot();
    } else if (is_one_of(before.back().text, kBeforeRelation)) {
      offer_relations();
    } else {
      offer_columns();
      for (const std::string& name : context_.functions.names()) offer(name + "(");
      offer_all(kClauses);
      if (before.front().text == "create" || before.front().text == "alter") offer_all(kTypes);
    }
    return {offers_.begin(), offers_.end()};
  }

 private:
  template <class Words>
  static bool is_one_of(std::string_view word, const Words& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  }

  void offer(const std::string& name) {
    if (starts_with_ignoring_case(name, words_.at_cursor)) offers_.insert(name);
  }
  template <class Words>
  void offer_all(const Words& words) {
    for (const std::string_view word : words) offer(std::string(word));
  }

  void offer_relations() {
    for (const sql::QualifiedName& name : relations_) {
      offer(name.schema == "public" ? sql::quote_identifier(name.name) : name.text());
    }
    for (const std::string& schema : context_.catalog.all_schemas()) {
      if (schema != "public") offer(sql::quote_identifier(schema) + ".");
    }
  }

  void offer_behind_dot() {
    const auto& before = words_.before;
    if (before.size() < 2) return;
    const std::string& qualifier = before[before.size() - 2].text;
    for (const sql::QualifiedName& name : relations_) {
      if (name.schema == qualifier) offer(sql::quote_identifier(name.name));
    }
    const std::map<std::string, sql::QualifiedName> named = named_relations();
    if (const auto found = named.find(qualifier); found != named.end()) {
      offer_columns_of(found->second);
    }
  }

  void offer_columns() {
    const std::map<std::string, sql::QualifiedName> named = named_relations();
    for (const auto& [alias, relation] : named) offer_columns_of(relation);
    if (!named.empty()) return;
    // The select list is typed before FROM says of what.
    for (std::size_t i = 0; i < std::min(relations_.size(), kGuessedRelations); ++i) {
      offer_columns_of(relations_[i]);
    }
  }

  void offer_columns_of(const sql::QualifiedName& relation) {
    if (const auto table = context_.catalog.find_table(relation)) {
      for (const catalog::ColumnInfo* column : table->visible_columns()) {
        offer(sql::quote_identifier(column->name));
      }
      return;
    }
    const pg::Result columns = context_.main.exec_cached(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 "
        "AND NOT attisdropped",
        {relation.text()});
    for (int row = 0; row < columns.rows(); ++row) {
      offer(sql::quote_identifier(columns.text(row, 0)));
    }
  }

  // Tables and views that the statement names, by name and by alias.
  std::map<std::string, sql::QualifiedName> named_relations() const {
    std::map<std::string, sql::QualifiedName> named;
    const auto& words = words_.before;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (!words[i].is_name || (i > 0 && words[i - 1].is_dot)) continue;
      const bool qualified = i + 2 < words.size() && words[i + 1].is_dot && words[i + 2].is_name;
      const sql::QualifiedName name{qualified ? words[i].text : "public",
                                    qualified ? words[i + 2].text : words[i].text};
      if (std::find(relations_.begin(), relations_.end(), name) == relations_.end()) continue;
      named[name.name] = name;
      std::size_t next = i + (qualified ? 3 : 1);
      if (next < words.size() && words[next].text == "as") ++next;
      if (next < words.size() && words[next].is_name) named.emplace(words[next].text, name);
    }
    return named;
  }

  EngineContext& context_;
  Words words_;
  std::vector<sql::QualifiedName> relations_;
  std::set<std::string> offers_;
};

}  // namespace

std::vector<std::string> complete_text(EngineContext& context, std::string_view text) {
  try {
    return Completion(context, words_of(text)).run();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace coppice::engine
