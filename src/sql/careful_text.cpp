#include "sql/careful_text.h"

#include <fmt/core.h>
#include <pg_query.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "sql/lexer.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::sql {
namespace {

constexpr std::string_view kPrefix = "coppice_placeholder_";

// The pieces taken out of a tree and the text that belongs in their place.
class Placeholders {
 public:
  std::string add(std::string text) {
    texts_.push_back(std::move(text));
    return fmt::format("{}{}", kPrefix, texts_.size() - 1);
  }

  // `text` with every placeholder replaced, those inside of replacements too.
  std::string fill(const std::string& text) const {
    std::string filled;
    std::vector<Piece> open;
    open.push_back({text, Lexer(text), 0});
    while (!open.empty()) {
      Piece& piece = open.back();
      const Token token = piece.lexer.next();
      const std::string* const replacement = find(piece.text, token);
      if (token.kind == TokenKind::kEnd || replacement) {
        filled += piece.text.substr(piece.copied, token.begin - piece.copied);
        piece.copied = token.end;
      }
      if (replacement) {
        open.push_back({*replacement, Lexer(*replacement), 0});
      } else if (token.kind == TokenKind::kEnd) {
        open.pop_back();
      }
    }
    return filled;
  }

 private:
  struct Piece {
    std::string_view text;
    Lexer lexer;
    std::size_t copied;
  };

  // A placeholder is a bare name, or the content of a string: $$coppice_placeholder_3$$.
  const std::string* find(std::string_view text, const Token& token) const {
    std::string_view word = text.substr(token.begin, token.size());
    if (token.kind == TokenKind::kString && word.starts_with("$$") && word.size() > 4) {
      word = word.substr(2, word.size() - 4);
    } else if (token.kind != TokenKind::kIdentifier) {
      return nullptr;
    }
    if (!word.starts_with(kPrefix)) return nullptr;
    word.remove_prefix(kPrefix.size());
    constexpr std::size_t kMaxDigits = 9;
    const bool is_number = !word.empty() && word.size() <= kMaxDigits &&
                           word.find_first_not_of("0123456789") == std::string_view::npos;
    const std::size_t index = is_number ? std::stoul(std::string(word)) : texts_.size();
    return index < texts_.size() ? &texts_[index] : nullptr;
  }

  std::vector<std::string> texts_;
};

// Expressions that need parentheses in some place or other.
bool is_compound(const Node* node) {
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_A_EXPR:
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
    case PG_QUERY__NODE__NODE_TYPE_CAST:
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
    case PG_QUERY__NODE__NODE_NULL_TEST:
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
      return true;
    case PG_QUERY__NODE__NODE_FUNC_CALL:
      return node->func_call->funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX;
    default:
      return false;
  }
}

// Makes the copy of a tree that holds placeholders.
class Carver {
 public:
  Carver(Arena& arena, Placeholders& placeholders) : arena_(arena), placeholders_(placeholders) {}

  void carve(Node*& root) {
    // The parts of a statement before its expressions: they hold lists that must stay in order.
    walk(root, [&](Message& message) {
      if (auto* update = as<PgQuery__UpdateStmt>(message)) {
        carve_assignments(update->n_target_list, update->target_list);
      } else if (auto* conflict = as<PgQuery__OnConflictClause>(message)) {
        carve_assignments(conflict->n_target_list, conflict->target_list);
      } else if (auto* function = as<PgQuery__CreateFunctionStmt>(message)) {
        carve_body(*function);
      }
      return Visit::kInto;
    });
    rewrite_bottom_up(root, [&](Node*& slot) {
      if (is_compound(slot)) slot = column(fmt::format("({})", raw_deparse_expression(slot)));
    });
  }

 private:
  Node* column(std::string text) {
    return make::column(arena_, {placeholders_.add(std::move(text))});
  }

  // SET (a, b) = source is kept as two targets that share the source: one target stands for both.
  void carve_assignments(std::size_t& count, Node** targets) {
    std::vector<Node*> carved;
    for (std::size_t i = 0; i < count; ++i) {
      auto* const first = as<PgQuery__ResTarget>(targets[i]);
      const auto* group = first ? as<PgQuery__MultiAssignRef>(first->val) : nullptr;
      if (!group) {
        carved.push_back(targets[i]);
        continue;
      }
      const auto columns = static_cast<std::size_t>(std::max(group->ncolumns, 1));
      std::string names;
      for (std::size_t k = i; k < std::min(count, i + columns); ++k) {
        const auto* target = as<PgQuery__ResTarget>(targets[k]);
        if (!target || target->n_indirection != 0) return;  // left to the deparser
        names += (names.empty() ? "" : ", ") + quote_identifier(target->name);
      }
      first->name = arena_.copy(placeholders_.add(fmt::format("({})", names)));
      first->val = group->source;
      carved.push_back(targets[i]);
      i += columns - 1;
    }
    count = carved.size();
    std::copy(carved.begin(), carved.end(), targets);
  }

  // Bodies are written in $$: one that ends in $ would end too early.
  void carve_body(PgQuery__CreateFunctionStmt& function) {
    for (Node* const item : nodes(function.n_options, function.options)) {
      auto* const option = as<PgQuery__DefElem>(item);
      if (!option || std::string_view(option->defname) != "as") continue;
      auto* const texts = as<PgQuery__List>(option->arg);
      if (!texts) continue;
      for (Node* const text : nodes(texts->n_items, texts->items)) {
        if (auto* string = as<PgQuery__String>(text)) {
          string->sval = arena_.copy(placeholders_.add(quote_literal(string->sval)));
        }
      }
    }
  }

  Arena& arena_;
  Placeholders& placeholders_;
};

}  // namespace

std::string raw_deparse(Node* statement) {
  PgQuery__RawStmt raw = PG_QUERY__RAW_STMT__INIT;
  raw.stmt = statement;
  PgQuery__RawStmt* statements[] = {&raw};
  PgQuery__ParseResult tree = PG_QUERY__PARSE_RESULT__INIT;
  tree.n_stmts = 1;
  tree.stmts = statements;
  std::string packed(pg_query__parse_result__get_packed_size(&tree), '\0');
  pg_query__parse_result__pack(&tree, reinterpret_cast<std::uint8_t*>(packed.data()));

  const auto release = [](PgQueryDeparseResult* result) { pg_query_free_deparse_result(*result); };
  PgQueryDeparseResult result = pg_query_deparse_protobuf({packed.size(), packed.data()});
  const std::unique_ptr<PgQueryDeparseResult, decltype(release)> owner(&result, release);
  if (result.error) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("the statement cannot be written as SQL: {}", result.error->message));
  }
  return result.query;
}

std::string raw_deparse_expression(Node* expression) {
  Arena arena;
  PgQuery__SelectStmt* const select = make::select(arena);
  Node* const target = make::target(arena, expression);
  make::set_list(arena, std::span(&target, 1), select->n_target_list, select->target_list);
  return raw_deparse(make::wrap(arena, select)).substr(std::string_view("SELECT ").size());
}

std::string careful_text(const Node* statement) {
  if (const auto* copy = as<PgQuery__CopyStmt>(statement)) return copy_text(*copy);
  const auto* show = as<PgQuery__VariableShowStmt>(statement);
  if (show && std::string_view(show->name) == "all") return "SHOW ALL";

  Arena arena;
  Node* carved = clone(arena, statement);
  Placeholders placeholders;
  Carver(arena, placeholders).carve(carved);
  return placeholders.fill(raw_deparse(carved));
}

}  // namespace coppice::sql
