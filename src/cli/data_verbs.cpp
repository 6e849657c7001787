#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/file_output.h"
#include "cli/input_stream.h"
#include "cli/verb_functions.h"

namespace coppice::cli {
namespace {

namespace fs = std::filesystem;

SqlParameters parameters(const Invocation& arguments) {
  SqlParameters result;
  for (const std::string& text : arguments.all("--param")) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Error(ErrorCode::kUsage, fmt::format("-p \"{}\" is no NAME=VALUE", text),
                  "write -p name=value, and $name in the SQL");
    }
    const auto [where, added] = result.emplace(text.substr(0, equals), text.substr(equals + 1));
    if (!added) {
      throw Error(ErrorCode::kUsage, fmt::format("the parameter {} is given twice", where->first));
    }
  }
  return result;
}

std::string sql_text(Session& session) {
  const auto text = session.arguments().value("SQL");
  const auto file = session.arguments().value("--file");
  if (text && file) {
    throw Error(ErrorCode::kUsage, "SQL is given both as an argument and as a file", "give one");
  }
  if (text) return *text;
  if (!file && session.console().input_is_terminal()) {
    session.console().notice("reading SQL from the terminal; Ctrl-D on an empty line ends it");
  }
  return read_text(session, file.value_or("-"));
}

// 0: as many as is usual.
std::int64_t sample_rows(const Invocation& arguments) {
  const auto given = arguments.value("--sample");
  if (!given) return 0;
  std::int64_t rows = 0;
  const auto [end, failed] = std::from_chars(given->data(), given->data() + given->size(), rows);
  if (failed == std::errc() && end == given->data() + given->size() && rows > 0) return rows;
  throw Error(ErrorCode::kUsage, fmt::format("--sample {} is no number of rows", *given),
              "for example --sample 50");
}

// True when the text can only read: one statement that begins as a query. In doubt false.
bool is_single_query(std::string_view text) {
  std::string_view rest = trim(text);
  while (rest.ends_with(';')) rest = trim(rest.substr(0, rest.size() - 1));
  if (rest.find(';') != std::string_view::npos) return false;
  constexpr std::string_view kQueries[] = {"select", "values", "table", "explain", "show"};
  return std::any_of(std::begin(kQueries), std::end(kQueries),
                     [&](std::string_view word) { return starts_with_ignoring_case(rest, word); });
}

std::string extension(const fs::path& file) { return lower(file.extension().string()); }

InsertFormat format_of_name(const fs::path& file) {
  const std::string ending = extension(file);
  if (ending == ".csv") return InsertFormat::kCsv;
  if (ending == ".jsonl" || ending == ".ndjson") return InsertFormat::kJsonl;
  throw Error(ErrorCode::kUsage,
              fmt::format("the name {} does not tell the format of its rows", file.string()),
              "add --format csv or --format jsonl");
}

RowFormat export_format(const Invocation& arguments) {
  const std::string format = arguments.value("--format").value_or("");
  if (format == "jsonl" || arguments.has("--json")) return RowFormat::kJson;
  if (format == "csv" || arguments.has("--csv")) return RowFormat::kCsv;
  const std::string ending = extension(arguments.value("--output").value_or(""));
  return ending == ".jsonl" || ending == ".ndjson" ? RowFormat::kJson : RowFormat::kCsv;
}

// Runs `write` on standard output or, with --output, on a file that appears as a whole.
void with_output(Session& session, const std::function<void(Output&)>& write) {
  const auto file = session.arguments().value("--output");
  if (!file || *file == "-") {
    write(session.console().out());
    return;
  }
  FileOutput output(*file);
  write(output.output());
  output.commit();
}

void insert_rows(Session& session, InsertOptions options, int fd) {
  InputStream input(fd, options.input_name);
  if (const auto format = session.arguments().value("--format")) {
    options.format = *format == "csv" ? InsertFormat::kCsv : InsertFormat::kJsonl;
  } else if (fd == session.console().input_fd()) {
    options.format = input.first_visible() == '{' ? InsertFormat::kJsonl : InsertFormat::kCsv;
  } else {
    options.format = format_of_name(options.input_name);
  }
  options.input = &input.stream();
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().insert(session.arguments().argument("TABLE"), options, sink);
}

}  // namespace

int run_sql(Session& session) {
  const SqlParameters bound = parameters(session.arguments());
  const std::string text = sql_text(session);
  // A reader that has gone stops a query; statements that change something are finished.
  PrintingSink sink = session.sink(RowFormat::kTable, is_single_query(text));
  session.engine().sql(text, bound, sink);
  return 0;
}

int run_estimate(Session& session) {
  const SqlParameters bound = parameters(session.arguments());
  const std::string text = sql_text(session);
  PrintingSink sink = session.sink();
  session.engine().estimate(text, bound, sample_rows(session.arguments()), sink);
  return 0;
}

int run_insert(Session& session) {
  const std::string from = session.arguments().argument("--from");
  InsertOptions options;
  options.ignore_errors = session.arguments().has("--skip-bad-files");
  if (from == "-") {
    options.input_name = "standard input";
    insert_rows(session, options, session.console().input_fd());
    return 0;
  }
  if (fs::is_directory(from)) {
    if (session.arguments().has("--format")) {
      throw Error(ErrorCode::kUsage, fmt::format("--format does not apply to the folder {}", from),
                  "a folder gives one row a file");
    }
    options.format = InsertFormat::kFolder;
    options.folder = from;
    PrintingSink sink = session.sink(RowFormat::kTable, false);
    session.engine().insert(session.arguments().argument("TABLE"), options, sink);
    return 0;
  }
  const FileDescriptor file(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("open " + from);
  options.input_name = from;
  insert_rows(session, options, file.get());
  return 0;
}

int run_export(Session& session) {
  const RowFormat format = export_format(session.arguments());
  with_output(session, [&](Output& output) {
    Engine& engine = session.engine();
    PrintingSink sink(session.console(), output, {format, 0, false},
                      [&] { engine.request_stop(); });
    engine.export_rows(session.arguments().argument("TABLE_OR_QUERY"), sink);
  });
  return 0;
}

int run_ls(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().ls(session.arguments().value("SCHEMA"), sink);
  return 0;
}

int run_describe(Session& session) {
  PrintingSink sink = session.sink();
  session.engine().describe(session.arguments().argument("TABLE"), sink);
  return 0;
}

int run_apply(Session& session) {
  const std::string file = session.arguments().argument("FILE");
  const bool prune = session.arguments().has("--prune");
  const bool dry_run = session.arguments().has("--dry-run");
  const std::string text = read_text(session, file);
  if (prune && !dry_run) {
    session.confirm("drop what " + file + " does not name",
                    [&](ResultSink& plan) { session.engine().apply(text, true, true, plan); });
  }
  PrintingSink sink = session.sink(RowFormat::kTable, false);
  session.engine().apply(text, prune, dry_run, sink);
  return 0;
}

int run_schema_dump(Session& session) {
  with_output(session, [&](Output& output) { output.write(session.engine().schema_dump()); });
  return 0;
}

int run_schema_diff(Session& session) {
  const std::string text = read_text(session, session.arguments().argument("FILE"));
  PrintingSink sink = session.sink();
  session.engine().schema_diff(text, session.arguments().has("--prune"), sink);
  return 0;
}

}  // namespace coppice::cli
