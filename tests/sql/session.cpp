#include "session.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "pg/connection.h"

namespace coppice::sql_test {
namespace {

std::string render_value(std::optional<std::string_view> value) {
  if (!value) return "NULL";
  if (value->empty()) return "(empty)";
  std::string text;
  for (const char c : *value) {
    if (c == '\n') {
      text += "\\n";
    } else if (c == '\t') {
      text += "\\t";
    } else if (c == '|') {
      text += "\\|";
    } else {
      text += c;
    }
  }
  return text;
}

std::string one_line(const Error& error) {
  std::string text = std::string(code_name(error.code())) + ": " + error.message();
  if (!error.hint().empty()) text += " " + error.hint();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

class CollectingSink final : public ResultSink {
 public:
  explicit CollectingSink(Answer& answer) : answer_(answer) {}

  void begin_rows(std::span<const ResultColumn> columns) override {
    if (!answer_.names.empty()) return;
    for (const ResultColumn& column : columns) answer_.names.push_back(column.name);
  }
  void row(std::span<const std::optional<std::string_view>> values) override {
    if (answer_.rows.empty() && !values.empty() && values[0])
      answer_.first_value = std::string(*values[0]);
    answer_.rows.push_back(render_row(values));
  }
  void end_rows() override {}
  void done(std::string_view tag, std::optional<std::int64_t> version) override {
    answer_.tag = tag;
    answer_.version = version;
  }
  void notice(std::string_view) override {}
  void progress(const Progress&) override {}

 private:
  Answer& answer_;
};

class EngineSession final : public Session {
 public:
  explicit EngineSession(Engine& engine) : engine_(engine) {}

  Answer run(const std::string& sql) override {
    Answer answer;
    CollectingSink sink(answer);
    try {
      engine_.sql(sql, {}, sink);
    } catch (const Error& error) {
      answer.error = one_line(error);
    }
    return answer;
  }

 private:
  Engine& engine_;
};

class ServerSession final : public Session {
 public:
  explicit ServerSession(const std::string& conninfo)
      : connection_(pg::Connection::connect(conninfo)) {}

  Answer run(const std::string& sql) override {
    Answer answer;
    try {
      read(connection_.exec(sql), answer);
    } catch (const Error& error) {
      answer.error = one_line(error);
    }
    return answer;
  }

 private:
  static void read(const pg::Result& result, Answer& answer) {
    for (const pg::Column& column : result.columns()) answer.names.push_back(column.name);
    std::vector<std::optional<std::string_view>> values(answer.names.size());
    for (int row = 0; row < result.rows(); ++row) {
      for (int column = 0; column < result.column_count(); ++column) {
        values[static_cast<std::size_t>(column)] = result.value(row, column);
      }
      if (row == 0 && !values.empty() && values[0]) answer.first_value = std::string(*values[0]);
      answer.rows.push_back(render_row(values));
    }
    answer.tag = result.command_tag();
  }

  pg::Connection connection_;
};

}  // namespace

std::string render_row(std::span<const std::optional<std::string_view>> values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text += '|';
    text += render_value(values[i]);
  }
  return text;
}

std::unique_ptr<Session> engine_session(Engine& engine) {
  return std::make_unique<EngineSession>(engine);
}

std::unique_ptr<Session> server_session(const std::string& conninfo) {
  return std::make_unique<ServerSession>(conninfo);
}

}  // namespace coppice::sql_test
