// LongNames: "table:version" in SQL where both together are longer than a name may be.
//
// Model    PostgreSQL's parser cuts every name after 63 bytes. A table's name with a time or the
//          name of a snapshot behind it may be longer: it is read under a short name that stands in
//          its place, padded with blanks, so that every offset stays as it is. In the tree
//          relations then get the whole name back and keep the short one as their alias, for
//          references to their columns ("table:version".id) have it too.
// Errors   kSyntax where such a name stands for anything but a relation.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "sql/guard.h"
#include "sql/source_text.h"
#include "sql/tree.h"

namespace coppice::sql {

class LongNames {
 public:
  // `places` are those of check_statement() for the same text.
  LongNames(const SourceText& source, std::span<const std::size_t> places);

  // What the parser can read; as long as the source.
  std::string_view text() const { return short_.empty() ? source_.text : short_; }

  void put_back(Node* root, Arena& arena) const;

 private:
  struct Name {
    std::string whole;
    std::size_t offset = 0;  // where it stands first
  };

  SourceText source_;
  std::string short_;                  // empty: nothing is long
  std::map<std::string, Name> names_;  // by the short name
};

}  // namespace coppice::sql
