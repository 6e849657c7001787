#include "backup/runs.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace coppice {
namespace {

using nlohmann::json;
using repo::BlobId;

constexpr std::size_t kBlobsOfPart = 4096;
constexpr const char* kKinds[] = {"rows", "closed", "cells"};
constexpr std::size_t kKeyFields = 2;

RunKind kind_named(const std::string& name) {
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (name == kKinds[i]) return static_cast<RunKind>(i);
  }
  throw Error(ErrorCode::kNewerFormat, fmt::format("the backup has runs of the kind {}", name),
              "use a newer coppice");
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A run whose lines are asked for in the order of their keys.
class Follower {
 public:
  Follower(const repo::Repository& repository, const Run& run)
      : run_(run), reader_(repository, blobs_of(repository, run)) {
    step();
  }

  const Run& run() const { return run_; }
  // The line of that row version, if the run has one.
  const std::vector<std::string_view>* at(const RowKey& key) {
    while (line_ && key_ < key) step();
    if (!line_ || key_ != key) return nullptr;
    split_fields(*line_, fields_);
    return &fields_;
  }

 private:
  void step() {
    line_ = reader_.next();
    if (line_) key_ = key_of(*line_);
  }

  const Run& run_;
  LineReader reader_;
  std::optional<std::string_view> line_;
  RowKey key_;
  std::vector<std::string_view> fields_;
};

class Merge {
 public:
  Merge(const repo::Repository& repository, const TableRuns& table, std::size_t run,
        const MergeRequest& request)
      : own_(table.runs[run]),
        request_(request),
        columns_(merged_columns(table, run, request)),
        reader_(repository, blobs_of(repository, own_)) {
    for (std::size_t i = run + 1; i < table.runs.size(); ++i) {
      const Run& later = table.runs[i];
      if (later.kind == RunKind::kRows) continue;
      followers_.push_back(std::make_unique<Follower>(repository, later));
    }
    same_columns_ = columns_ == own_.columns;
  }

  void run(const std::function<void(std::string_view)>& visit) {
    while (const auto line = reader_.next()) {
      if (followers_.empty() && same_columns_ && !is_gone(third(*line))) {
        visit(*line);
      } else if (const std::string* merged = merge(*line)) {
        visit(*merged);
      }
    }
  }

 private:
  static std::string_view third(std::string_view line) {
    std::size_t begin = line.find('\t');
    begin = line.find('\t', begin + 1) + 1;
    return line.substr(begin, line.find_first_of("\t\n", begin) - begin);
  }

  bool is_gone(std::string_view to) const {
    if (request_.floor == nullptr || to == catalog::kCurrentText) return false;
    const std::int64_t operation = std::stoll(std::string(to));
    const auto& open = request_.floor->open_ops;
    return operation <= request_.floor->high_op &&
           std::find(open.begin(), open.end(), operation) == open.end();
  }

  const std::string* merge(std::string_view line) {
    const RowKey key = key_of(line);
    split_fields(line, fields_);
    const std::size_t head = own_.has_parent ? 4 : 3;
    if (fields_.size() != head + own_.columns.size()) {
      throw Error(ErrorCode::kIntegrity, "a row of the backup has another number of columns");
    }
    values_.assign(columns_.size(), "\\N");
    std::string_view to = fields_[2];
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto found = std::find(own_.columns.begin(), own_.columns.end(), columns_[i]);
      if (found == own_.columns.end()) continue;
      values_[i] = fields_[head + static_cast<std::size_t>(found - own_.columns.begin())];
    }
    for (const auto& follower : followers_) {
      const std::vector<std::string_view>* const more = follower->at(key);
      if (more == nullptr) continue;
      if (follower->run().kind == RunKind::kClosed) {
        to = more->at(kKeyFields);
      } else {
        take_cells(follower->run(), *more);
      }
    }
    if (is_gone(to)) return nullptr;
    merged_.clear();
    fmt::format_to(std::back_inserter(merged_), "{}\t{}\t{}", fields_[0], fields_[1], to);
    if (own_.has_parent) merged_.append("\t").append(fields_[3]);
    for (const std::string_view value : values_) merged_.append("\t").append(value);
    merged_ += '\n';
    return &merged_;
  }

  void take_cells(const Run& run, const std::vector<std::string_view>& fields) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto found = std::find(run.columns.begin(), run.columns.end(), columns_[i]);
      if (found == run.columns.end()) continue;
      values_[i] = fields.at(kKeyFields + static_cast<std::size_t>(found - run.columns.begin()));
    }
  }

  const Run& own_;
  const MergeRequest& request_;
  const std::vector<std::string> columns_;
  LineReader reader_;
  std::vector<std::unique_ptr<Follower>> followers_;
  bool same_columns_ = false;
  std::vector<std::string_view> fields_, values_;
  std::string merged_;
};

json run_json(const Run& run, TreeBuilder& builder) {
  return {{"kind", kKinds[static_cast<int>(run.kind)]},
          {"parent", run.has_parent},
          {"columns", run.columns},
          {"rows", run.rows},
          {"bytes", run.bytes},
          {"parts", builder.add_trees(run.parts)}};
}

}  // namespace

std::uint64_t TableRuns::rows() const {
  std::uint64_t count = 0;
  for (const Run& run : runs) count += run.kind == RunKind::kRows ? run.rows : 0;
  return count;
}

std::uint64_t TableRuns::closed() const {
  std::uint64_t count = 0;
  for (const Run& run : runs) count += run.kind == RunKind::kClosed ? run.rows : 0;
  return count;
}

std::vector<BlobId> write_parts(const std::vector<BlobId>& blobs, repo::BlobWriter& writer) {
  std::vector<BlobId> parts;
  for (std::size_t at = 0; at < blobs.size(); at += kBlobsOfPart) {
    const std::size_t end = std::min(blobs.size(), at + kBlobsOfPart);
    TreeBuilder part;
    part.add_blobs({blobs.begin() + static_cast<std::ptrdiff_t>(at),
                    blobs.begin() + static_cast<std::ptrdiff_t>(end)});
    parts.push_back(part.write(writer));
  }
  return parts;
}

BlobId write_table(const TableRuns& table, repo::BlobWriter& writer) {
  TreeBuilder builder;
  builder.members()["point"] = {{"version", table.point.version},
                                {"high_op", table.point.high_op},
                                {"open_ops", table.point.open_ops}};
  json runs = json::array();
  for (const Run& run : table.runs) runs.push_back(run_json(run, builder));
  builder.members()["runs"] = std::move(runs);
  return builder.write(writer);
}

TableRuns read_table(const repo::Repository& repository, const BlobId& id) {
  const Tree tree = Tree::read(repository, id);
  return tree.checked([&] {
    TableRuns table;
    const json& point = tree.member("point");
    table.point.version = point.at("version").get<std::int64_t>();
    table.point.high_op = point.at("high_op").get<std::int64_t>();
    table.point.open_ops = point.at("open_ops").get<std::vector<std::int64_t>>();
    for (const json& item : tree.member("runs")) {
      Run run;
      run.kind = kind_named(item.at("kind").get<std::string>());
      run.has_parent = item.at("parent").get<bool>();
      run.columns = item.at("columns").get<std::vector<std::string>>();
      run.rows = item.at("rows").get<std::uint64_t>();
      run.bytes = item.at("bytes").get<std::uint64_t>();
      run.parts = tree.trees(item.at("parts"));
      table.runs.push_back(std::move(run));
    }
    return table;
  });
}

std::vector<BlobId> blobs_of(const repo::Repository& repository, const Run& run) {
  std::vector<BlobId> blobs;
  for (const BlobId& part : run.parts) {
    const std::vector<BlobId> more = Tree::read(repository, part).all_blobs();
    blobs.insert(blobs.end(), more.begin(), more.end());
  }
  return blobs;
}

std::vector<std::string> merged_columns(const TableRuns& table, std::size_t run,
                                        const MergeRequest& request) {
  std::vector<std::string> columns = table.runs[run].columns;
  for (std::size_t i = run + 1; i < table.runs.size(); ++i) {
    if (table.runs[i].kind != RunKind::kCells) continue;
    for (const std::string& column : table.runs[i].columns) {
      if (!has(columns, column)) columns.push_back(column);
    }
  }
  std::erase_if(columns, [&](const std::string& name) { return !has(request.columns, name); });
  return columns;
}

void merge_run(const repo::Repository& repository, const TableRuns& table, std::size_t run,
               const MergeRequest& request,
               const std::function<void(std::string_view line)>& visit) {
  Merge(repository, table, run, request).run(visit);
}

}  // namespace coppice
