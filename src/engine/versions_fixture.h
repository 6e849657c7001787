// Versions: the fixture of the tests of what is said and done about versions: a home whose verbs
// are called for the table "t", and give rows as texts.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>

// g++ 12 warns falsely of uninitialized members inside <regex> when sanitizers are on.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <regex>

#include "engine/diff.h"
#include "engine/history.h"
#include "engine/lineage.h"
#include "engine/prune.h"
#include "engine/recompute.h"
#include "engine/revert.h"
#include "engine/snapshots.h"
#include "engine/test_context.h"

namespace coppice::engine {

using Rows = std::vector<std::string>;

class Versions : public ::testing::Test {
 protected:
  std::string revert(const std::string& to, const std::string& table = "t") {
    last_ = home_.collect([&](EngineContext& context, ResultSink& sink) {
      run_revert(context, table, to, false, sink);
    });
    return last_.tags.back();
  }
  Rows revert_plan(const std::string& to) {
    return home_
        .collect([&](EngineContext& context, ResultSink& sink) {
          run_revert(context, "t", to, true, sink);
        })
        .rows;
  }
  Rows diff(const std::string& from, const std::string& to, bool schema_only = false) {
    return home_
        .collect([&](EngineContext& context, ResultSink& sink) {
          show_diff(context, "t", from, to, schema_only, sink);
        })
        .rows;
  }
  Collector prune(const std::optional<std::string>& keep, bool dry_run = false) {
    return home_.collect([&](EngineContext& context, ResultSink& sink) {
      run_prune(context, "t", keep, dry_run, sink);
    });
  }
  std::string recompute(const std::vector<std::string>& columns,
                        const std::optional<std::string>& where = {}, bool errors_only = false) {
    last_ = home_.collect([&](EngineContext& context, ResultSink& sink) {
      run_recompute(context, "t", columns, where, errors_only, sink);
    });
    return last_.tags.back();
  }
  Rows errors() {
    Rows rows;
    for (const std::string& row : home_
                                      .collect([&](EngineContext&context, ResultSink&sink) {
                                        show_errors(context, std::nullopt, sink);
                                      })
                                      .rows) {
      // Without the moment.
      rows.push_back(std::regex_replace(row, std::regex("\\|\\d{4}-[^|]*\\|"), "|…|"));
    }
    return rows;
  }
  void snapshot(const std::string& name) {
    home_.collect([&](EngineContext& context, ResultSink& sink) {
      create_snapshot(context, "t", name, sink);
    });
  }
  // Of an older version, as only a test can make it.
  void snapshot_at(const std::string& name, int version) {
    snapshot(name);
    home_.context().main.exec(
        fmt::format("UPDATE coppice.snapshots SET version = {} WHERE name = '{}'", version, name));
  }
  void drop(const std::string& name) {
    home_.collect(
        [&](EngineContext& context, ResultSink& sink) { drop_snapshot(context, "t", name, sink); });
  }
  std::string lineage(const std::string& name, LineageFormat format = LineageFormat::kText) {
    std::string text;
    for (const std::string& row : home_
                                      .collect([&](EngineContext&context, ResultSink&sink) {
                                        show_lineage(context, name, format, sink);
                                      })
                                      .rows) {
      text += row + "\n";
    }
    return text;
  }
  // Identities of the current rows, by id: "1:17".
  Rows identities() {
    const auto table = home_.context().catalog.table({"", "t"});
    Rows rows;
    const pg::Result result = home_.context().main.exec(
        fmt::format("SELECT id || ':' || _row FROM {} ORDER BY id", table->working_view()));
    for (int row = 0; row < result.rows(); ++row) rows.emplace_back(result.text(row, 0));
    return rows;
  }
  std::int64_t stored_rows() {
    const auto table = home_.context().catalog.table({"", "t"});
    return home_.context().main.exec("SELECT count(*) FROM " + table->store_table()).integer(0, 0);
  }
  template <class Action>
  static std::string failure(const Action& action, ErrorCode code) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(code_name(error.code()), code_name(code)) << error.message();
      return error.message() + " " + error.hint();
    }
    ADD_FAILURE() << "an error was expected";
    return {};
  }

  TestContext home_;
  Collector last_;
};

}  // namespace coppice::engine
