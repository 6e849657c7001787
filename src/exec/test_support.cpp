#include "exec/test_support.h"

#include <algorithm>

#include "base/error.h"
#include "exec/stubs.h"

namespace coppice::exec::testing {
namespace {

Value make(ValueType type) {
  Value value;
  value.type = type;
  return value;
}

Cell integer(std::size_t number) {
  Value value = make(ValueType::kInteger);
  value.integer = static_cast<std::int64_t>(number);
  return value;
}

Cell number(double real) {
  Value value = make(ValueType::kFloat);
  value.number = real;
  return value;
}

Cell text(ValueType type, std::string words) {
  Value value = make(type);
  value.text = std::move(words);
  return value;
}

Cell call(const std::string& id, const std::vector<Value>& arguments) {
  const std::string& name = arguments[0].text;
  if (name.find("bad") != std::string::npos) return CellFailure{"decode", "cannot decode " + name};
  if (id == "width(image)" || id == "width(video)") return integer(name.size());
  if (id == "height(image)") {
    return integer(static_cast<std::size_t>(std::count(name.begin(), name.end(), 'a')));
  }
  if (id == "resize(image,bigint,bigint)") {
    return text(ValueType::kImage, name + "-" + std::to_string(arguments[1].integer) + "x" +
                                       std::to_string(arguments[2].integer));
  }
  if (id == "encode(image,text,bigint)") {
    return text(ValueType::kImage,
                name + "." + arguments[1].text + std::to_string(arguments[2].integer));
  }
  if (id == "frame_at(video,float8)") {
    if (arguments[1].number > 5) return Value{};
    return text(ValueType::kImage, "frame of " + name);
  }
  if (id == "duration(video)") return number(static_cast<double>(name.size()) / 2);
  if (id == "metadata(image)") return text(ValueType::kJson, R"({"name": ")" + name + R"("})");
  if (id == "mime_type(image)") return text(ValueType::kText, "image/" + name.substr(0, 2));
  return CellFailure{"unsupported", "the fake pool has no " + id};
}

Cell evaluate_fragment(const Fragment& fragment, const Batch& batch, std::size_t row) {
  if (fragment.is_argument()) {
    return batch.arguments.at(static_cast<std::size_t>(fragment.argument)).at(row);
  }
  std::vector<Value> arguments;
  for (const Fragment& child : fragment.children) {
    Cell cell = evaluate_fragment(child, batch, row);
    if (std::holds_alternative<CellFailure>(cell)) return cell;
    arguments.push_back(std::get<Value>(std::move(cell)));
  }
  if (std::any_of(arguments.begin(), arguments.end(), [](const Value& v) { return v.is_null(); })) {
    return Value{};
  }
  return call(fragment.function, arguments);
}

std::string shown(const Fragment& fragment) {
  if (fragment.is_argument()) return "$" + std::to_string(fragment.argument);
  std::string words = fragment.function.substr(0, fragment.function.find('(')) + "(";
  for (const Fragment& child : fragment.children) {
    words += (words.back() == '(' ? "" : ",") + shown(child);
  }
  return words + ")";
}

}  // namespace

BatchResult FakePool::evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                               std::stop_token stop) {
  if (stop.stop_requested()) throw Error(ErrorCode::kInterrupted, "stopped on request");
  ++batches;
  std::string line;
  BatchResult results;
  for (const Fragment& fragment : fragments) {
    line += (line.empty() ? "" : " ") + shown(fragment);
    std::vector<Cell>& cells = results.emplace_back();
    for (std::size_t row = 0; row < batch.row_count; ++row) {
      cells.push_back(evaluate_fragment(fragment, batch, row));
      ++calls;
    }
  }
  seen.push_back(line);
  return results;
}

std::string sql_functions() {
  const auto function = [](const std::string& id, const std::string& parameters,
                           const std::string& result, const std::string& body) {
    return "CREATE OR REPLACE FUNCTION coppice.\"" + id + "\"(" + parameters + ") RETURNS " +
           result + " LANGUAGE sql STRICT AS $$ SELECT " + body + " $$;\n";
  };
  return function("width(image)", "image coppice.image", "bigint", "length($1)") +
         function("width(video)", "video coppice.video", "bigint", "length($1)") +
         function("height(image)", "image coppice.image", "bigint",
                  "length($1) - length(replace($1, 'a', ''))") +
         function("resize(image,bigint,bigint)",
                  "image coppice.image, width bigint, height bigint DEFAULT 0", "coppice.image",
                  "$1 || '-' || $2 || 'x' || $3") +
         function("encode(image,text,bigint)",
                  "image coppice.image, format text, quality bigint DEFAULT 85", "coppice.image",
                  "$1 || '.' || $2 || $3") +
         function("frame_at(video,float8)", "video coppice.video, seconds float8", "coppice.image",
                  "CASE WHEN $2 <= 5 THEN 'frame of ' || $1 END") +
         function("duration(video)", "video coppice.video", "float8", "length($1) / 2.0") +
         function("metadata(image)", "image coppice.image", "jsonb",
                  "jsonb_build_object('name', $1)") +
         function("mime_type(image)", "image coppice.image", "text",
                  "'image/' || substr($1, 1, 2)");
}

std::optional<ColumnKinds> FakeRelations::columns_of(const sql::VersionedName& relation) {
  const auto found = tables.find(relation.table.name);
  if (found == tables.end()) return std::nullopt;
  return found->second;
}

FakeRelations test_relations() {
  FakeRelations relations;
  relations.tables["film"] = {{"id", {}, true},
                              {"title", {}},
                              {"clip", MediaKind::kVideo},
                              {"poster", MediaKind::kImage},
                              {"still", MediaKind::kImage},
                              {"seconds", {}},
                              {"tags", {}}};
  relations.tables["shot"] = {{"id", {}, true}, {"film_id", {}}, {"img", MediaKind::kImage}};
  return relations;
}

std::string test_schema() {
  return R"(
CREATE SCHEMA coppice;
CREATE DOMAIN coppice.image AS text;
CREATE DOMAIN coppice.video AS text;
CREATE DOMAIN coppice.audio AS text;
CREATE DOMAIN coppice.document AS text;
CREATE TABLE public.film (id bigint PRIMARY KEY, title text, clip coppice.video, poster coppice.image,
                   still coppice.image, seconds float8, tags text[]);
CREATE TABLE public.shot (id bigint PRIMARY KEY, film_id bigint, img coppice.image);
INSERT INTO public.film VALUES
  (1, 'Street', 'street.avi', 'alpha.jpg', 'a.png', 4.5, '{city,night}'),
  (2, 'Dawn', 'dawn.mp4', 'banana.jpg', NULL, 0, '{}'),
  (3, 'Rain', NULL, NULL, 'aaa.png', 7.25, NULL),
  (4, 'It''s "odd"\', 'x.avi', 'p.jpg', 'still.png', -1, '{"a b",NULL}'),
  (5, NULL, 'longer name.avi', 'aardvark.jpg', 'b.png', NULL, '{x}');
INSERT INTO public.shot SELECT n, 1 + n % 6, CASE WHEN n % 7 <> 0 THEN 'shot' || repeat('a', n % 4) ||
  n || '.jpg' END FROM generate_series(1, 40) n;
)";
}

ExecDatabase::ExecDatabase()
    : connection(database.connect()), functions(builtin_signatures()), relations(test_relations()) {
  connection.exec(test_schema());
  connection.exec(stubs_sql(builtin_signatures()));
}

}  // namespace coppice::exec::testing
