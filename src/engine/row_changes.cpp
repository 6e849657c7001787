#include "engine/row_changes.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace coppice::engine {

using catalog::VersionInfo;

namespace {

std::string open_list(const VersionInfo& version) {
  return fmt::format("'{{{}}}'::bigint[]", fmt::join(version.open_ops, ","));
}

// The negation of published_after(), in a form that gives an index its upper bound.
std::string published_until(const VersionInfo& version, const std::string& column) {
  if (version.open_ops.empty()) return fmt::format("{} <= {}", column, version.high_op);
  return fmt::format("({0} <= {1} AND {0} <> ALL ({2}))", column, version.high_op,
                     open_list(version));
}

std::string was_closed() { return fmt::format("_to <> {}", catalog::kCurrentText); }

}  // namespace

std::string published_after(const VersionInfo& version, const std::string& column) {
  if (version.open_ops.empty()) return fmt::format("{} > {}", column, version.high_op);
  return fmt::format("({0} > {1} OR {0} = ANY ({2}))", column, version.high_op, open_list(version));
}

std::string gone_since(const VersionInfo& since) {
  return fmt::format("{} AND {} AND {}", was_closed(), published_after(since, "_to"),
                     published_until(since, "_from"));
}

std::string come_since(const VersionInfo& since) {
  return fmt::format("_to = {} AND {}", catalog::kCurrentText, published_after(since, "_from"));
}

std::string only_before(const VersionInfo& before, const VersionInfo& after) {
  return gone_since(before) + " AND " + published_until(after, "_to");
}

std::string only_after(const VersionInfo& before, const VersionInfo& after) {
  return fmt::format("{} AND {} AND {}", published_after(before, "_from"),
                     published_until(after, "_from"), published_after(after, "_to"));
}

std::string invisible_from(const VersionInfo& floor) {
  return was_closed() + " AND " + published_until(floor, "_to");
}

void use_change_indexes(pg::Connection& connection) {
  connection.exec(
      "SET LOCAL enable_seqscan = off; SET LOCAL enable_nestloop = off; SET LOCAL jit = off");
}

}  // namespace coppice::engine
