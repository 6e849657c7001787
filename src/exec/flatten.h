// Flatten: makes the SELECT around an engine subquery tell it what it needs, or become one with it.
// Not for use outside this component.
//
// Model    Three rewritings that keep the result:
//            move_conditions  WHERE terms that read only the subquery's columns go into it;
//            drop_unread      columns with engine calls that nobody reads become NULL;
//            merge_subquery   SELECT … FROM (SELECT … FROM t) s becomes SELECT … FROM t.
//          Each does nothing where it cannot be sure.
//          Both queries were normalized (exec/select_form.h).
// Source   As PostgreSQL's pull_up_subqueries and qual pushdown (optimizer/prep/prepjointree.c,
//          path/allpaths.c), for the plain cases.
#pragma once

#include "exec/select_form.h"

namespace coppice::exec {

void move_conditions(PgQuery__SelectStmt& outer, const Scope& scope,
                     const PgQuery__RangeSubselect& item, const FormContext& context);
void drop_unread(const PgQuery__SelectStmt& outer, const PgQuery__RangeSubselect& item,
                 const FormContext& context);
// `item` is all there is in outer's FROM. True when done.
bool merge_subquery(PgQuery__SelectStmt& outer, const Scope& scope,
                    const PgQuery__RangeSubselect& item, const FormContext& context);

}  // namespace coppice::exec
