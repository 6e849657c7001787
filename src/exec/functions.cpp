#include "exec/functions.h"

#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"
#include "pg/conninfo.h"

namespace coppice::exec {
namespace {

constexpr std::size_t kMaxIdentifierBytes = 63;  // NAMEDATALEN - 1
constexpr std::size_t kDigestDigits = 16;
constexpr std::string_view kPublic = "public";

}  // namespace

FunctionTable::FunctionTable(std::span<const Signature> signatures,
                             std::set<std::string, std::less<>> server_names)
    : server_names_(std::move(server_names)) {
  for (const Signature& signature : signatures) add(signature);
}

FunctionTable::FunctionTable(const std::vector<const Signature*>& of_users)
    : FunctionTable(builtin_signatures()) {
  for (const Signature* const signature : of_users) add(*signature);
}

void FunctionTable::add(const Signature& signature) {
  const bool builtin = signature.schema.empty();
  std::vector<const Signature*>& overloads =
      overloads_[builtin ? signature.name : signature.schema + "." + signature.name];
  if (overloads.empty()) {
    const bool plain = builtin || signature.schema == kPublic;
    names_.push_back(plain ? signature.name : signature.schema + "." + signature.name);
  }
  overloads.push_back(&signature);
  const bool is_new = by_stub_.emplace(stub_name(signature), &signature).second;
  COPPICE_ASSERT(is_new);
}

std::set<std::string, std::less<>> FunctionTable::default_server_names() {
  return {"encode", "height", "sha256", "text", "width"};
}

std::set<std::string, std::less<>> find_server_names(pg::Connection& connection,
                                                     std::span<const Signature> signatures) {
  std::vector<std::string> names;
  for (const Signature& signature : signatures) names.push_back(pg::quote_literal(signature.name));
  const std::string sql =
      "SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid "
      "= p.pronamespace WHERE n.nspname <> 'coppice' AND p.proname = ANY (ARRAY[" +
      join(names, ",") + "]::name[])";
  const pg::Result result = connection.exec(sql);
  std::set<std::string, std::less<>> found;
  for (int row = 0; row < result.rows(); ++row) found.emplace(result.text(row, 0));
  return found;
}

std::span<const Signature* const> FunctionTable::overloads(const sql::QualifiedName& name) const {
  const auto find = [&](const std::string& key) -> std::span<const Signature* const> {
    const auto found = overloads_.find(key);
    if (found == overloads_.end()) return {};
    return found->second;
  };
  if (name.schema == "coppice") return find(name.name);
  if (!name.schema.empty()) return find(name.schema + "." + name.name);
  const auto of_user = find(std::string(kPublic) + "." + name.name);
  return of_user.empty() ? find(name.name) : of_user;
}

const Signature* FunctionTable::by_stub_name(std::string_view stub) const {
  const auto found = by_stub_.find(stub);
  return found == by_stub_.end() ? nullptr : found->second;
}

std::string stub_name(const Signature& signature) {
  if (signature.id.size() <= kMaxIdentifierBytes) return signature.id;
  // Names are ASCII or UTF-8; a cut inside a character would not be valid UTF-8.
  std::size_t cut = kMaxIdentifierBytes - kDigestDigits - 1;
  while (cut > 0 && (static_cast<unsigned char>(signature.id[cut]) & 0xC0U) == 0x80U) --cut;
  return signature.id.substr(0, cut) + "~" + to_hex(sha256(signature.id)).substr(0, kDigestDigits);
}

std::string printed_signature(const Signature& signature) {
  const bool plain = signature.schema.empty() || signature.schema == kPublic;
  std::string text = (plain ? "" : signature.schema + ".") + signature.name + "(";
  for (std::size_t i = 0; i < signature.parameters.size(); ++i) {
    const Parameter& parameter = signature.parameters[i];
    const std::string type = sql_type_name(parameter.type);
    if (i > 0) text += ", ";
    text += parameter.name == type ? type : parameter.name + " " + type;
    if (parameter.default_sql) text += " DEFAULT " + *parameter.default_sql;
  }
  return text + ")";
}

std::string server_type_name(ValueType type) {
  return is_media(type) ? "coppice." + sql_type_name(type) : sql_type_name(type);
}

std::optional<MediaKind> media_kind_of(ValueType type) {
  switch (type) {
    case ValueType::kImage:
      return MediaKind::kImage;
    case ValueType::kVideo:
      return MediaKind::kVideo;
    case ValueType::kAudio:
      return MediaKind::kAudio;
    case ValueType::kDocument:
      return MediaKind::kDocument;
    default:
      return std::nullopt;
  }
}

std::string with_article(MediaKind kind) {
  switch (kind) {
    case MediaKind::kImage:
      return "an image";
    case MediaKind::kVideo:
      return "a video";
    case MediaKind::kAudio:
      return "an audio";
    case MediaKind::kDocument:
      return "a document";
  }
  return "a media value";
}

}  // namespace coppice::exec
