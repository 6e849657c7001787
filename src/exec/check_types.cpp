#include "exec/check_types.h"

#include <vector>

#include "exec/binder.h"
#include "exec/syntax.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace coppice::exec {
namespace {

using sql::Message;
using sql::Node;

std::vector<const Message*> messages_in_order(const Node* root) {
  std::vector<const Message*> messages;
  sql::walk(const_cast<Node*>(root), [&](Message& message) {
    messages.push_back(&message);
    return sql::Visit::kInto;
  });
  return messages;
}

// The location in `tree` of what stands at byte `offset` of its deparsed text; -1 when unknown.
int location_in_tree(const std::string& text, std::size_t offset, const Node* tree) {
  const sql::Statement again = sql::parse_statement(text);
  const std::vector<const Message*> written = messages_in_order(again.node());
  const std::vector<const Message*> original = messages_in_order(tree);
  if (written.size() != original.size()) return -1;
  // The innermost message that begins at the offset; else the last one that begins before it.
  int best = -1, best_start = -1;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const int start = location_of(*written[i]);
    const int place = location_of(*original[i]);
    if (start < best_start || start > static_cast<int>(offset) || place < 0) continue;
    best = place;
    best_start = start;
  }
  return best;
}

}  // namespace

std::string in_user_words(std::string_view message) {
  constexpr std::string_view kSchema = "coppice.";
  std::string text;
  while (!message.empty()) {
    const std::size_t at = message.find(kSchema);
    text += message.substr(0, at);
    if (at == std::string_view::npos) break;
    message.remove_prefix(at + kSchema.size());
    const bool quoted = message.starts_with('"');
    if (quoted) message.remove_prefix(1);
    // "width(image)" and width(image)(text): the stub's name ends with its own parenthesis.
    const std::size_t name_end = message.find_first_of("(\", ):");
    text += message.substr(0, name_end);
    message.remove_prefix(name_end == std::string_view::npos ? message.size() : name_end);
    const std::size_t close = message.find(')');
    const bool stub = message.starts_with('(') && close != std::string_view::npos &&
                      (quoted || message.substr(close + 1).starts_with('('));
    if (stub) message.remove_prefix(close + 1);
    if (quoted && message.starts_with('"')) message.remove_prefix(1);
  }
  return text;
}

Error error_in_source(const pg::ServerError& error, const std::string& sent, const Node* statement,
                      const sql::SourceText& source, const FunctionTable& functions) {
  int location = -1;
  if (const int position = error.fields().position; position > 0) {
    const std::size_t offset =
        sql::byte_offset_of_character(sent, static_cast<std::size_t>(position) - 1);
    location = location_in_tree(sent, offset, statement);
  }
  std::string hint = unknown_function_hint(error, functions);
  if (hint.empty()) hint = in_user_words(error.fields().hint);
  std::string what = in_user_words(error.fields().primary);
  if (!error.fields().detail.empty()) what += ": " + in_user_words(error.fields().detail);
  return sql::error_at(error.code(), source, location, what, std::move(hint));
}

std::vector<pg::Column> check_types(pg::Connection& connection, const Node* statement,
                                    const sql::SourceText& source, const FunctionTable& functions) {
  const std::string text = sql::deparse(statement);
  try {
    return connection.describe(text).columns;
  } catch (const pg::ServerError& error) {
    throw error_in_source(error, text, statement, source, functions);
  }
}

}  // namespace coppice::exec
