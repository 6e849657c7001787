// copy_text of careful_text.h.
#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"
#include "sql/careful_text.h"
#include "sql/deparse.h"
#include "sql/read.h"

namespace coppice::sql {
namespace {

std::string name_list(std::size_t count, Node* const* items) {
  std::vector<std::string> names = names_in(count, items);
  for (std::string& name : names) name = quote_identifier(name);
  return fmt::format("({})", join(names, ", "));
}

std::string option_argument(const Node* argument) {
  if (!argument) return {};
  if (const auto* list = as<PgQuery__List>(argument)) {
    return " " + name_list(list->n_items, list->items);
  }
  if (as<PgQuery__AStar>(argument)) return " *";
  const std::string value = option_value(argument).value_or("");
  const bool is_number = as<PgQuery__Integer>(argument) || as<PgQuery__Float>(argument);
  return " " + (is_number ? value : quote_literal(value));
}

}  // namespace

std::string copy_text(const PgQuery__CopyStmt& copy) {
  std::string text = "COPY ";
  if (copy.query) {
    text += fmt::format("({})", deparse(copy.query));
  } else if (copy.relation) {
    text += relation_name(*copy.relation).text();
    if (copy.n_attlist > 0) text += " " + name_list(copy.n_attlist, copy.attlist);
  }
  text += copy.is_from ? " FROM " : " TO ";
  if (copy.is_program) text += "PROGRAM ";
  text += *copy.filename ? quote_literal(copy.filename) : copy.is_from ? "STDIN" : "STDOUT";

  std::vector<std::string> options;
  for (Node* const item : std::span(copy.options, copy.n_options)) {
    const auto* option = as<PgQuery__DefElem>(item);
    if (!option) throw Error(ErrorCode::kUnsupported, "COPY has an option without a name");
    options.push_back(quote_identifier(option->defname) + option_argument(option->arg));
  }
  if (!options.empty()) text += fmt::format(" WITH ({})", join(options, ", "));
  if (copy.where_clause) text += " WHERE " + deparse_expression(copy.where_clause);
  return text;
}

}  // namespace coppice::sql
