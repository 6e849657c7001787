#include "sql/deparse.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>

#include "sql/careful_text.h"
#include "sql/deep_stack.h"
#include "sql/make.h"
#include "sql/read.h"

namespace coppice::sql {
namespace {

constexpr std::string_view kSelect = "SELECT ";

// The deparser puts each link of a chain into parentheses: what was within the limits as the user
// wrote it would not be as it is written here.
constexpr ParseOptions kOwnText = {.limits = {.statement_bytes = 16 * kMaxStatementBytes,
                                              .nesting = 3 * kMaxChain,
                                              .chain = 3 * kMaxChain},
                                   .number_parameters = false};

// COPY … CSV HEADER keeps true where WITH (header true) keeps 'true': the same to the server.
bool equal_copy(const PgQuery__CopyStmt& a, const PgQuery__CopyStmt& b) {
  if (a.n_options != b.n_options || a.n_attlist != b.n_attlist) return false;
  for (std::size_t i = 0; i < a.n_options; ++i) {
    const auto* left = as<PgQuery__DefElem>(a.options[i]);
    const auto* right = as<PgQuery__DefElem>(b.options[i]);
    if (!left || !right || std::string_view(left->defname) != right->defname) return false;
    if (!equal(left->arg, right->arg) && option_value(left->arg) != option_value(right->arg)) {
      return false;
    }
  }
  return names_in(a.n_attlist, a.attlist) == names_in(b.n_attlist, b.attlist) &&
         equal(a.relation, b.relation) && equal(a.query, b.query) &&
         equal(a.where_clause, b.where_clause) && a.is_from == b.is_from &&
         a.is_program == b.is_program &&
         std::string_view(a.filename) == std::string_view(b.filename);
}

bool equal_statements(const Node* a, const Node* b) {
  const auto* left = as<PgQuery__CopyStmt>(a);
  const auto* right = as<PgQuery__CopyStmt>(b);
  return left && right ? equal_copy(*left, *right) : equal(a, b);
}

// The text, if it reads back as the tree; parse errors are a no.
bool reads_back(const std::string& text, const Node* tree) {
  try {
    const Statement statement = parse_statement(text, kOwnText);
    return equal_statements(statement.node(), tree);
  } catch (const Error&) {
    return false;
  }
}

std::optional<std::string> verified(const Node* tree, std::string (*write)(Node*)) {
  try {
    std::string text = write(const_cast<Node*>(tree));
    if (reads_back(text, tree)) return text;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
  }
  return std::nullopt;
}

// The statements that Coppice has itself (classify.h). The deparser of others was seen to crash on
// trees that the grammar allows, and nobody needs it.
constexpr std::array kWritten = {
    &pg_query__select_stmt__descriptor,
    &pg_query__insert_stmt__descriptor,
    &pg_query__update_stmt__descriptor,
    &pg_query__delete_stmt__descriptor,
    &pg_query__truncate_stmt__descriptor,
    &pg_query__copy_stmt__descriptor,
    &pg_query__create_stmt__descriptor,
    &pg_query__create_table_as_stmt__descriptor,
    &pg_query__create_schema_stmt__descriptor,
    &pg_query__view_stmt__descriptor,
    &pg_query__alter_table_stmt__descriptor,
    &pg_query__rename_stmt__descriptor,
    &pg_query__drop_stmt__descriptor,
    &pg_query__index_stmt__descriptor,
    &pg_query__create_function_stmt__descriptor,
    &pg_query__grant_stmt__descriptor,
    &pg_query__comment_stmt__descriptor,
    &pg_query__explain_stmt__descriptor,
    &pg_query__variable_set_stmt__descriptor,
    &pg_query__variable_show_stmt__descriptor,
    &pg_query__return_stmt__descriptor,
};

void check_statements(const Node* tree) {
  walk(const_cast<Node*>(tree), [](Message& message) {
    const std::string_view name = message.descriptor->short_name;
    if (name.ends_with("Stmt") &&
        std::find(kWritten.begin(), kWritten.end(), message.descriptor) == kWritten.end()) {
      throw Error(ErrorCode::kUnsupported, fmt::format("a {} cannot be written as SQL", name),
                  "use the text as the user wrote it");
    }
    return Visit::kInto;
  });
}

std::string careful(Node* tree) { return careful_text(tree); }

}  // namespace

std::string deparse(const Node* statement) {
  check_statements(statement);
  std::optional<std::string> text;
  const std::size_t depth = message_depth(reinterpret_cast<const Message*>(statement)) + 2;
  run_on_deep_stack(depth, [&] {
    // The library crashes on COPY … WITH (FORMAT).
    if (!as<PgQuery__CopyStmt>(statement)) text = verified(statement, raw_deparse);
    if (!text) text = verified(statement, careful);
  });
  if (text) return std::move(*text);
  throw Error(
      ErrorCode::kUnsupported, "a changed form of this statement cannot be written as SQL",
      "write it in a simpler form; parts that only PostgreSQL 15 knows are the usual cause");
}

std::string deparse_expression(const Node* expression) {
  Arena arena;
  PgQuery__SelectStmt* const select = make::select(arena);
  Node* const target = make::target(arena, const_cast<Node*>(expression));
  make::set_list(arena, std::span(&target, 1), select->n_target_list, select->target_list);
  return deparse(make::wrap(arena, select)).substr(kSelect.size());
}

}  // namespace coppice::sql
