#include "sql/parse.h"

#include <fmt/core.h>
#include <pg_query.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "sql/deep_stack.h"
#include "sql/long_names.h"
#include "sql/parameters.h"
#include "sql/syntax_hints.h"

namespace coppice::sql {
namespace {

constexpr std::string_view kExpressionPrefix = "SELECT ";

struct ParserFailure {
  std::string message;
  std::optional<std::size_t> offset;  // bytes in the text that was parsed
};

struct ParserOutcome {
  PgQuery__ParseResult* tree = nullptr;
  std::optional<ParserFailure> failure;
};

// Parses on the current stack.
ParserOutcome run_parser(const std::string& text, Arena& arena) {
  const auto release = [](PgQueryProtobufParseResult* result) {
    pg_query_free_protobuf_parse_result(*result);
  };
  PgQueryProtobufParseResult raw = pg_query_parse_protobuf(text.c_str());
  const std::unique_ptr<PgQueryProtobufParseResult, decltype(release)> owner(&raw, release);
  ParserOutcome outcome;
  if (raw.error) {
    outcome.failure = ParserFailure{raw.error->message, std::nullopt};
    if (raw.error->cursorpos > 0) {
      // The parser counts characters, from 1.
      outcome.failure->offset =
          byte_offset_of_character(text, static_cast<std::size_t>(raw.error->cursorpos) - 1);
    }
    return outcome;
  }
  ProtobufCAllocator allocator = arena.allocator();
  outcome.tree = pg_query__parse_result__unpack(
      &allocator, raw.parse_tree.len, reinterpret_cast<const std::uint8_t*>(raw.parse_tree.data));
  if (!outcome.tree) throw std::bad_alloc();
  return outcome;
}

std::string plain_message(const std::string& message) {
  // Bison's words for a stack of its own that is full.
  if (message.starts_with("memory exhausted")) return "the statement is nested too deeply";
  return message;
}

// True when nothing but one plain target is in the statement.
bool is_single_target(const PgQuery__SelectStmt& select) {
  return select.n_target_list == 1 && select.n_distinct_clause == 0 && !select.into_clause &&
         select.n_from_clause == 0 && !select.where_clause && select.n_group_clause == 0 &&
         !select.having_clause && select.n_window_clause == 0 && select.n_values_lists == 0 &&
         select.n_sort_clause == 0 && !select.limit_offset && !select.limit_count &&
         select.n_locking_clause == 0 && !select.with_clause &&
         select.op == PG_QUERY__SET_OPERATION__SETOP_NONE;
}

bool is_bare_star(const Node* node) {
  const auto* column = as<PgQuery__ColumnRef>(node);
  return column && column->n_fields == 1 && as<PgQuery__AStar>(column->fields[0]);
}

// The expression of "SELECT <expression>", or nullptr when the text is anything else.
Node* single_expression(Node* statement) {
  auto* const select = as<PgQuery__SelectStmt>(statement);
  if (!select || !is_single_target(*select)) return nullptr;
  auto* const target = as<PgQuery__ResTarget>(select->target_list[0]);
  if (!target || *target->name || target->n_indirection != 0 || is_bare_star(target->val)) {
    return nullptr;
  }
  return target->val;
}

bool starts_with_set_quantifier(std::string_view text) {
  Lexer lexer(text);
  const Token first = lexer.next();
  return lexer.is_word(first, "all") || lexer.is_word(first, "distinct");
}

}  // namespace

// Builds Statements: the only one that fills them in.
class Parser {
 public:
  static Statement parse_one(const StatementText& piece, const ParseOptions& options) {
    return make(piece, piece.source(), options, "");
  }

  static Statement parse_expression(const StatementText& piece, const ParseOptions& options) {
    Statement statement = make(piece, piece.source(), options, kExpressionPrefix);
    Node* const expression =
        starts_with_set_quantifier(piece.text) ? nullptr : single_expression(statement.tree_->node);
    if (!expression) {
      throw error_at(ErrorCode::kSyntax, piece.source(), 0, "this is not one expression",
                     "give a value without alias, FROM or commas, for instance: duration(clip)");
    }
    statement.tree_->node = expression;
    return statement;
  }

 private:
  static Statement make(const StatementText& piece, const SourceText& source,
                        const ParseOptions& options, std::string_view prefix) {
    const StatementCheck check = check_statement(source, options.limits);
    const LongNames long_names(source, check.long_names);
    const NumberedText numbered(long_names.text(), options.number_parameters);
    const std::string text = std::string(prefix) + numbered.text();

    Statement statement;
    statement.tree_->text = std::string(piece.text);
    statement.tree_->parameters = numbered.names();
    statement.source_offset_ = piece.offset;
    statement.start_ = piece.start;

    ParserOutcome outcome;
    run_on_deep_stack(check.depth, [&] { outcome = run_parser(text, statement.tree_->arena); });
    const auto user_offset = [&](std::size_t offset) {
      return numbered.source_offset(offset < prefix.size() ? 0 : offset - prefix.size());
    };
    if (outcome.failure) throw syntax_error(source, *outcome.failure, user_offset);
    if (outcome.tree->n_stmts != 1 || !outcome.tree->stmts[0]->stmt) {
      throw error_at(ErrorCode::kSyntax, source, 0, "this is not one statement",
                     "end each statement with a semicolon");
    }
    statement.tree_->node = outcome.tree->stmts[0]->stmt;
    if (!prefix.empty() || !numbered.names().empty()) {
      change_locations(message_of(statement.tree_->node), [&](std::int32_t location) {
        const auto offset = static_cast<std::size_t>(location);
        return offset < prefix.size() ? -1 : static_cast<std::int32_t>(user_offset(offset));
      });
    }
    long_names.put_back(statement.tree_->node, statement.tree_->arena);
    return statement;
  }

  template <class UserOffset>
  static Error syntax_error(const SourceText& source, const ParserFailure& failure,
                            const UserOffset& user_offset) {
    const std::string message = plain_message(failure.message);
    if (!failure.offset) return error_at(ErrorCode::kSyntax, source, 0, message);
    const std::size_t offset = user_offset(*failure.offset);
    return error_at(ErrorCode::kSyntax, source, static_cast<std::ptrdiff_t>(offset), message,
                    syntax_hint(source.text, offset));
  }
};

Statement Statement::with_tree(const Node* tree) const {
  Statement statement;
  statement.tree_->text = tree_->text;
  statement.tree_->parameters = tree_->parameters;
  statement.tree_->node = clone(statement.tree_->arena, tree);
  statement.source_offset_ = source_offset_;
  statement.start_ = start_;
  return statement;
}

Error Statement::error(ErrorCode code, std::ptrdiff_t location, const std::string& what,
                       std::string hint) const {
  return error_at(code, source(), location, what, std::move(hint));
}

std::vector<Statement> parse(std::string_view script, const ParseOptions& options) {
  check_encoding(SourceText{script});
  std::vector<Statement> statements;
  Splitter splitter(script);
  while (const auto piece = splitter.next()) {
    statements.push_back(Parser::parse_one(*piece, options));
  }
  return statements;
}

Statement parse(const StatementText& statement, const ParseOptions& options) {
  check_encoding(statement.source());
  return Parser::parse_one(statement, options);
}

Statement parse_statement(std::string_view text, const ParseOptions& options) {
  const SourceText source{text};
  check_encoding(source);
  Splitter splitter(text);
  const auto piece = splitter.next();
  if (!piece) {
    throw error_at(ErrorCode::kSyntax, source, 0,
                   "an SQL statement is expected, the text is empty");
  }
  if (const auto second = splitter.next()) {
    throw error_at(ErrorCode::kSyntax, source, static_cast<std::ptrdiff_t>(second->offset),
                   "one statement is expected, here begins a second");
  }
  return Parser::parse_one(*piece, options);
}

Statement parse_expression(std::string_view text, const ParseOptions& options) {
  const SourceText source{text};
  check_encoding(source);
  Splitter splitter(text);
  const auto piece = splitter.next();
  if (!piece) {
    throw error_at(ErrorCode::kSyntax, source, 0, "an expression is expected, the text is empty");
  }
  if (piece->terminated || splitter.next()) {
    throw error_at(ErrorCode::kSyntax, source,
                   static_cast<std::ptrdiff_t>(piece->offset + piece->text.size()),
                   "an expression ends without a semicolon");
  }
  return Parser::parse_expression(*piece, options);
}

}  // namespace coppice::sql
