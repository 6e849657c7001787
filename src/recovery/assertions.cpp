#include "recovery/assertions.h"

#include <memory>
#include <optional>
#include <span>

#include "base/error.h"
#include "base/text.h"
#include "engine/open_home.h"
#include "engine/quiet_sinks.h"
#include "engine/run_sql.h"
#include "sql/parse.h"

namespace coppice::recovery {
namespace {

// Whether the first column of every row is true, and there is one.
class TruthSink final : public engine::SilentSink {
 public:
  void row(std::span<const std::optional<std::string_view>> values) override {
    ++rows_;
    if (!values.empty() && values[0] == "t") return;
    if (first_false_.empty()) {
      first_false_ = values.empty() || !values[0] ? "NULL" : std::string(*values[0]);
    }
  }
  bool holds() const { return rows_ > 0 && first_false_.empty(); }
  std::string what() const { return rows_ == 0 ? "it gives no rows" : "it gives " + first_false_; }

 private:
  std::uint64_t rows_ = 0;
  std::string first_false_;
};

DrillReport::Assertion assert_one(engine::EngineContext& context, std::string_view sql) {
  DrillReport::Assertion assertion;
  assertion.sql = std::string(trim(sql));
  TruthSink truth;
  try {
    engine::run_script(context, sql, {}, truth);
    assertion.holds = truth.holds();
    if (!assertion.holds) assertion.what = truth.what();
  } catch (const Error& error) {
    assertion.what = error.message();
  }
  return assertion;
}

}  // namespace

std::vector<DrillReport::Assertion> run_assertions(engine::EngineContext& context,
                                                   std::string_view text) {
  std::vector<DrillReport::Assertion> all;
  for (const sql::Statement& statement : sql::parse(text)) {
    all.push_back(assert_one(context, statement.text()));
  }
  return all;
}

std::vector<DrillReport::Assertion> run_assertions(const ConfigRequest& where,
                                                   std::string_view text) {
  const Config config = Config::load(where);
  const auto context = engine::open_home(config);
  return run_assertions(*context, text);
}

}  // namespace coppice::recovery
