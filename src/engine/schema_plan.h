// SchemaPlan: the steps that make one schema into another.
//
// Model    Two models are compared by structure; nothing is asked of the database. Steps are in an
//          order in which each finds what it needs: what goes away for others to take its place,
//          tables, columns, fills, constraints, views, then comments and rights, and last the
//          drops. Drops of what the file does not name are steps only with `prune`; else they are
//          told as kept. A rename cannot be told from an addition beside something that is not
//          named any more.
//          The order of columns is not compared: a new one comes last.
// Threads  Pure functions. Steps point into the wanted model.
#pragma once

#include <string>
#include <vector>

#include "engine/schema_model.h"

namespace coppice::engine {

enum class SchemaPhase {
  kSchemas,
  kDropFirst,  // what others take the place of
  kFunctions,  // computed columns call them
  kTables,
  kColumns,
  kConstraints,
  kFills,       // jobs of their own
  kAfterFills,  // constraints and indexes over filled columns
  kViews,
  kLateFunctions,  // those that read tables
  kWords,          // comments and rights
  kDropLast,
  kKept,  // nothing is done
};

struct SchemaStep {
  enum class Work {
    kRun,
    kCreateTable,
    kCreateMaterialized,
    kAddComputed,
    kChangeExpression,
    kSetRetention,
    kReplaceView
  };

  SchemaPhase phase = SchemaPhase::kKept;
  std::string action;  // "add column"
  std::string object;  // "films.film.year"
  std::string sql;     // what a user would type
  Work work = Work::kRun;
  SchemaPlace place;

  sql::QualifiedName table;             // kAddComputed, kChangeExpression, kSetRetention
  const TableModel* model = nullptr;    // kCreateTable
  const ColumnDraft* column = nullptr;  // kAddComputed, kChangeExpression
  std::optional<std::string> retention;
  // kReplaceView, when PostgreSQL cannot replace it in place: what must follow DROP and CREATE.
  bool may_drop = false;
  std::vector<std::string> afterwards;

  bool is_fill() const { return phase == SchemaPhase::kFills; }
};

struct SchemaPlan {
  std::vector<SchemaStep> steps;
  std::vector<std::string> notices;

  bool has_fills() const;
  // Whether there is something to do.
  bool changes() const;
};

SchemaPlan plan_schema(const SchemaModel& wanted, const SchemaModel& present, bool prune);

// The steps for one table that is there.
void plan_table(const TableModel& wanted, const TableModel& present, bool prune, SchemaPlan& plan);

}  // namespace coppice::engine
