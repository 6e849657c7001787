// FunctionTable: the engine functions that statements may call, looked up in every way needed.
//
// Model    A function has a name and overloads. In PostgreSQL each overload has two stubs in the
//          schema coppice: one under the function's name, and one under a name of its own (the
//          stub name: Signature::id, shortened when PostgreSQL would cut it), to which the binder
//          rewrites calls so that PostgreSQL has nothing to choose.
//          A user's function lies in a schema of the user's, under its name, and its stub name
//          begins with that schema. Called without schema it is one of public, or else a built-in.
//          A name that PostgreSQL or the user has too (encode, text, width of a box) is a server
//          name: called without schema it is ours only when its first argument is media.
// Threads  Immutable once made; the signatures are borrowed and must outlive the table.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "pg/connection.h"
#include "sql/names.h"
#include "workers/signature.h"

namespace coppice::exec {

using catalog::MediaKind;

class FunctionTable {
 public:
  // `server_names`: those names that functions outside the schema coppice have too.
  explicit FunctionTable(std::span<const Signature> signatures,
                         std::set<std::string, std::less<>> server_names = default_server_names());
  // The built-in functions and these.
  explicit FunctionTable(const std::vector<const Signature*>& of_users);

  // What find_server_names() gives for the built-in functions on a fresh PostgreSQL 13 to 15.
  static std::set<std::string, std::less<>> default_server_names();

  bool contains(const sql::QualifiedName& name) const { return !overloads(name).empty(); }
  bool is_server_name(std::string_view name) const { return server_names_.contains(name); }
  // Empty when there is no such function.
  std::span<const Signature* const> overloads(const sql::QualifiedName& name) const;
  const Signature* by_stub_name(std::string_view stub) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  void add(const Signature& signature);

  // By name; those of users by "schema.name".
  std::map<std::string, std::vector<const Signature*>, std::less<>> overloads_;
  std::map<std::string, const Signature*, std::less<>> by_stub_;
  std::set<std::string, std::less<>> server_names_;
  std::vector<std::string> names_;
};

// The names of `signatures` that functions of other schemas have too; one query.
std::set<std::string, std::less<>> find_server_names(pg::Connection& connection,
                                                     std::span<const Signature> signatures);

// The name of the stub that stands for exactly this overload; at most 63 bytes.
std::string stub_name(const Signature& signature);

// "resize(image, width bigint, height bigint DEFAULT 0)": as people read it in messages.
std::string printed_signature(const Signature& signature);

// "bigint", "coppice.image", …: the type as PostgreSQL reads it in any search path.
std::string server_type_name(ValueType type);

std::optional<MediaKind> media_kind_of(ValueType type);
// "an image", "a video", …
std::string with_article(MediaKind kind);

}  // namespace coppice::exec
