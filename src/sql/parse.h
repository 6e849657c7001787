// Parse: SQL text to PostgreSQL's own syntax trees.
//
// Model    A script is split (split.h) and each statement parsed by itself by libpg_query 15, after
//          the guard (guard.h) has bounded its size and depth. A Statement owns its text and its
//          tree; nodes made for that tree are made in its arena and live as long as it.
//          `$name` parameters are numbered in the order they first appear (parameters.h): the tree
//          holds $1, $2 … and parameters()[n - 1] is the name of $n.
// Units    Locations in the tree are byte offsets into text() of the same Statement, also where
//          parameters were numbered; -1 or 0 where PostgreSQL keeps none.
// Threads  Parsing keeps no state: any thread, as many as you like, with 256 KiB of stack left. One
//          Statement belongs to one thread at a time.
// Errors   kSyntax with "(line L, column C)" in the script, the line and a caret, and a hint where
//          the mistake is a known one; those of guard.h; kInvalidInput for bytes that are not text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sql/guard.h"
#include "sql/split.h"
#include "sql/tree.h"

namespace coppice::sql {

struct ParseOptions {
  GuardLimits limits = {};
  // False for text that comes from a tree: its $n are numbered already and must stay as they are.
  bool number_parameters = true;
};

class Statement {
 public:
  // The statement itself: from its first token to its last, without the ";".
  std::string_view text() const { return tree_->text; }
  // Where text() begins in the script.
  std::size_t source_offset() const { return source_offset_; }
  SourceText source() const { return {tree_->text, start_}; }

  // An expression's node() is the expression, a statement's the statement.
  Node* node() { return tree_->node; }
  const Node* node() const { return tree_->node; }
  // The slot of the root, for rewrites that may replace it.
  Node*& root() { return tree_->node; }
  // PG_QUERY__NODE__NODE_SELECT_STMT and so on; classify.h says what it means to Coppice.
  PgQuery__Node__NodeCase node_case() const { return tree_->node->node_case; }
  Arena& arena() { return tree_->arena; }

  // The name of $n is parameters()[n - 1]; "1" for a $1 that the user wrote.
  const std::vector<std::string>& parameters() const { return tree_->parameters; }

  // The same text with a copy of another tree: one that was made from this statement, and whose
  // locations are of this text.
  Statement with_tree(const Node* tree) const;

  // An error at a location of this tree, shown with the user's line.
  Error error(ErrorCode code, std::ptrdiff_t location, const std::string& what,
              std::string hint = {}) const;

 private:
  friend class Parser;
  struct Tree {
    std::string text;
    Arena arena;
    Node* node = nullptr;
    std::vector<std::string> parameters;
  };

  Statement() : tree_(std::make_unique<Tree>()) {}

  std::unique_ptr<Tree> tree_;
  std::size_t source_offset_ = 0;
  LineColumn start_ = {};
};

// All statements of a script, in order. For scripts of many megabytes loop over a Splitter and use
// the overload below: one tree at a time.
std::vector<Statement> parse(std::string_view script, const ParseOptions& options = {});

// One statement as the Splitter gave it.
Statement parse(const StatementText& statement, const ParseOptions& options = {});

// Exactly one statement, with or without its ";".
Statement parse_statement(std::string_view text, const ParseOptions& options = {});

// One expression and nothing else: what may stand in a select list, without alias.
Statement parse_expression(std::string_view text, const ParseOptions& options = {});

}  // namespace coppice::sql
