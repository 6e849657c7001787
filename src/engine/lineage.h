// Lineage: what a table or column is made from, and what is made from it.
//
// Model    Text is a tree for each column: its sources above, its uses below, each with theirs; a
//          column that was shown in the tree is not taken apart again. JSON is one document,
//          {"nodes": [{"id", "relation", "column", "kind", "type", "expression"}],
//           "edges": [{"from", "to"}]}; DOT is a digraph for Graphviz. Both hold all that the table
//          or column is connected with upwards and downwards.
// Errors   kNotFound with the nearest name.
#pragma once

#include <string>

#include "engine/context.h"
#include "engine/engine.h"

namespace coppice::engine {

// `name`: "films.film", "film", "films.film.poster", "film.poster"; views too.
void show_lineage(EngineContext& context, const std::string& name, LineageFormat format,
                  ResultSink& sink);

}  // namespace coppice::engine
