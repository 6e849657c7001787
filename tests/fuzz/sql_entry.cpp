#include "sql_entry.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "sql/classify.h"
#include "sql/deparse.h"
#include "sql/guard.h"
#include "sql/lexer.h"
#include "sql/names.h"
#include "sql/parameters.h"
#include "sql/parse.h"
#include "sql/read.h"
#include "sql/references.h"
#include "sql/split.h"

namespace coppice::sql {
namespace {

constexpr std::size_t kMaxInputBytes = 64 << 10;

// Runs `read` on users' text: it may refuse, but only as these errors do.
template <class Function>
void may_refuse(const Function& read) {
  try {
    read();
  } catch (const Error& error) {
    COPPICE_ASSERT(!error.message().empty());
    COPPICE_ASSERT(error.code() == ErrorCode::kSyntax || error.code() == ErrorCode::kUnsupported ||
                   error.code() == ErrorCode::kInvalidInput || error.code() == ErrorCode::kUsage);
  }
}

// Begin and end of each token, in turn.
using Edges = std::vector<std::size_t>;

struct LexedText {
  Edges edges;
  bool comparable = true;
};

LexedText our_tokens(std::string_view text) {
  LexedText lexed;
  Lexer lexer(text);
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) {
    const std::string_view word = lexer.text(token);
    // pg_query_scan gives U&'…' wrong ends, and an empty name is an error to it.
    const bool unicode = word.size() > 2 && word[1] == '&' && (word[2] == '\'' || word[2] == '"');
    lexed.comparable = lexed.comparable && !unicode;
    lexed.edges.push_back(token.begin);
    if (token.kind == TokenKind::kNamedParameter) {  // to PostgreSQL "$" and a name
      // $e'…' is a parameter and a string to us, "$" and an escaped string to PostgreSQL; but it
      // never sees that: parameters are numbered before.
      const bool prefix =
          token.end < text.size() && (text[token.end] == '\'' || text[token.end] == '&');
      lexed.comparable = lexed.comparable && !prefix;
      lexed.edges.push_back(token.begin + 1);
      lexed.edges.push_back(token.begin + 1);
    }
    lexed.edges.push_back(token.end);
  }
  return lexed;
}

void compare_lexers(const std::string& text) {
  const LexedText ours = our_tokens(text);
  if (!ours.comparable) return;
  PgQueryScanResult raw = pg_query_scan(text.c_str());
  if (!raw.error) {
    auto* const result = pg_query__scan_result__unpack(
        nullptr, raw.pbuf.len, reinterpret_cast<const std::uint8_t*>(raw.pbuf.data));
    COPPICE_ASSERT(result != nullptr);
    Edges theirs;
    for (std::size_t i = 0; i < result->n_tokens; ++i) {
      const PgQuery__ScanToken& token = *result->tokens[i];
      if (token.token == PG_QUERY__TOKEN__SQL_COMMENT ||
          token.token == PG_QUERY__TOKEN__C_COMMENT) {
        continue;
      }
      theirs.push_back(static_cast<std::size_t>(token.start));
      theirs.push_back(static_cast<std::size_t>(token.end));
    }
    pg_query__scan_result__free_unpacked(result, nullptr);
    COPPICE_ASSERT(ours.edges == theirs);
  }
  pg_query_free_scan_result(raw);
}

void check_tree(Statement& statement) {
  Message* const root = message_of(statement.node());
  const std::size_t bound = check_statement(statement.source()).depth;
  COPPICE_ASSERT(message_depth(root) <= bound);

  Arena arena;
  Node* copy = clone(arena, statement.node());
  COPPICE_ASSERT(equal(copy, statement.node()));
  rewrite_bottom_up(copy, [](Node*&) {});
  COPPICE_ASSERT(equal(copy, statement.node()));
  change_locations(root, [&](std::int32_t location) {
    COPPICE_ASSERT(static_cast<std::size_t>(location) <= statement.text().size());
    return location;
  });
  may_refuse([&] {
    const std::string text = deparse(statement.node());
    COPPICE_ASSERT(!text.empty());
  });
}

void read_tree(Statement& statement) {
  const Classification found = classify(statement);
  COPPICE_ASSERT(found.kind != StatementKind::kRefused || !found.what.empty());
  COPPICE_ASSERT(found.location <= static_cast<std::int32_t>(statement.text().size()));
  for (const RelationUse& use : collect_relations(statement.node())) {
    may_refuse([&] { versioned_relation_name(*use.relation); });
  }
  for (const auto* call : collect_function_calls(statement.node())) function_name(*call);
  for (const auto* column : collect_column_refs(statement.node())) column_ref_names(*column);
  walk(statement.node(), [](Message& message) {
    if (const auto* type = as<PgQuery__TypeName>(message)) type_text(*type);
    if (const auto* copy = as<PgQuery__CopyStmt>(message)) {
      options_in(copy->n_options, copy->options);
    }
    return Visit::kInto;
  });
}

void check_names(std::string_view text) {
  may_refuse([&] {
    const QualifiedName name = parse_qualified_name(text);
    COPPICE_ASSERT(parse_qualified_name(name.text()) == name);
  });
  may_refuse([&] { parse_versioned_name(text); });
  may_refuse([&] { parse_column_name(text); });
}

}  // namespace

void fuzz_sql(std::string_view input) {
  if (input.size() > kMaxInputBytes) return;
  const bool is_text = !first_invalid_utf8(input);
  if (is_text) compare_lexers(std::string(input));
  is_incomplete(input);
  std::size_t bytes = 0;
  for (const StatementText& piece : split(input)) bytes += piece.text.size();
  COPPICE_ASSERT(bytes <= input.size());

  may_refuse([&] {
    for (Statement& statement : parse(input)) {
      check_tree(statement);
      read_tree(statement);
    }
  });
  may_refuse([&] {
    Statement expression = parse_expression(input);
    const std::string text = deparse_expression(expression.node());
    const ParseOptions as_it_is{.limits = {.nesting = 3 * kMaxChain, .chain = 3 * kMaxChain},
                                .number_parameters = false};
    COPPICE_ASSERT(equal(parse_expression(text, as_it_is).node(), expression.node()));
  });
  if (is_text) may_refuse([&] { check_parameters(input, {"name", "1"}); });
  check_names(input);
}

}  // namespace coppice::sql
