#include "pg/server_error.h"

#include <utility>

namespace coppice::pg {
namespace {

struct Mapping {
  std::string_view prefix;  // of the SQLSTATE; the first that fits decides
  ErrorCode code;
  std::string_view hint;
};

constexpr std::string_view kConnectHint =
    "check that the database server is running and reachable, then try again";

constexpr Mapping kMappings[] = {
    {"08P01", ErrorCode::kInternal, ""},
    {"08", ErrorCode::kUnavailable, kConnectHint},
    {"0A", ErrorCode::kUnsupported, ""},
    {"22", ErrorCode::kInvalidInput, ""},
    {"23", ErrorCode::kConstraint, ""},
    {"25006", ErrorCode::kRefused, "the transaction or the server is read-only"},
    {"28", ErrorCode::kRefused, "check the user and password in the database address"},
    {"2BP01", ErrorCode::kRefused, ""},
    {"3D000", ErrorCode::kNotFound, ""},
    {"3F000", ErrorCode::kNotFound, ""},
    {"40001", ErrorCode::kConflict, "other sessions changed the same rows; try again"},
    {"40P01", ErrorCode::kConflict, "two sessions waited for each other; try again"},
    {"40002", ErrorCode::kConstraint, ""},
    {"42501", ErrorCode::kRefused, "the database role has no right to do this"},
    {"42601", ErrorCode::kSyntax, ""},
    {"42602", ErrorCode::kSyntax, ""},
    {"42622", ErrorCode::kSyntax, ""},
    {"42804", ErrorCode::kType, ""},
    {"42846", ErrorCode::kType, ""},
    {"42P18", ErrorCode::kType, "write the type: expression::type"},
    {"42P08", ErrorCode::kType, "write the type where it stands: $name::text"},
    {"42P21", ErrorCode::kType, ""},
    {"42P22", ErrorCode::kType, ""},
    {"42725", ErrorCode::kType, "write casts so that one function fits"},
    {"42809", ErrorCode::kType, ""},
    {"42703", ErrorCode::kNotFound, ""},
    {"42704", ErrorCode::kNotFound, ""},
    {"42883", ErrorCode::kNotFound, ""},
    {"42P01", ErrorCode::kNotFound, ""},
    {"42701", ErrorCode::kAlreadyExists, ""},
    {"42710", ErrorCode::kAlreadyExists, ""},
    {"42723", ErrorCode::kAlreadyExists, ""},
    {"42P04", ErrorCode::kAlreadyExists, ""},
    {"42P06", ErrorCode::kAlreadyExists, ""},
    {"42P07", ErrorCode::kAlreadyExists, ""},
    {"42", ErrorCode::kSyntax, ""},
    {"44000", ErrorCode::kConstraint, ""},
    {"53100", ErrorCode::kDiskFull, "free some space on the database server's disk"},
    {"53300", ErrorCode::kBusy,
     "the server has no connection left; close some or raise "
     "max_connections"},
    {"53", ErrorCode::kUnavailable, "the database server is short of memory or other resources"},
    {"54000", ErrorCode::kInvalidInput, ""},
    {"54001", ErrorCode::kInvalidInput,
     "it is nested too deep for the database server: use lists, subqueries or several statements"},
    {"54", ErrorCode::kInvalidInput,
     "the statement exceeds a limit of PostgreSQL; make it smaller"},
    {"55P03", ErrorCode::kBusy, "another session holds a lock on the same table; try again"},
    {"55006", ErrorCode::kBusy, ""},
    {"57014", ErrorCode::kInterrupted, ""},
    {"57P", ErrorCode::kUnavailable, kConnectHint},
    {"58030", ErrorCode::kIo, ""},
    {"58", ErrorCode::kIo, "see the database server's log"},
    {"P0001", ErrorCode::kRefused, ""},
    {"XX001", ErrorCode::kIntegrity, "the database is damaged: restore it from a backup"},
    {"XX002", ErrorCode::kIntegrity, "an index is damaged: REINDEX it, then check the disk"},
};

const Mapping* find_mapping(std::string_view sqlstate) {
  for (const Mapping& mapping : kMappings) {
    if (sqlstate.substr(0, mapping.prefix.size()) == mapping.prefix) return &mapping;
  }
  return nullptr;
}

std::string make_message(const ServerErrorFields& fields) {
  // A stop that was asked for reads the same wherever it took effect.
  if (fields.sqlstate == "57014" && fields.primary.ends_with("due to user request")) {
    return "interrupted";
  }
  return fields.detail.empty() ? fields.primary : fields.primary + ": " + fields.detail;
}

std::string make_hint(const ServerErrorFields& fields) {
  if (fields.sqlstate == "28000" && fields.primary.find("no encryption") != std::string::npos) {
    return "it may want TLS: add sslmode=require (or verify-full) to the database address";
  }
  // The server's hint about its stack is for its administrator.
  if (!fields.hint.empty() && fields.sqlstate != "54001") return fields.hint;
  const Mapping* mapping = find_mapping(fields.sqlstate);
  return mapping == nullptr ? std::string() : std::string(mapping->hint);
}

}  // namespace

ErrorCode code_of_sqlstate(std::string_view sqlstate) {
  const Mapping* mapping = find_mapping(sqlstate);
  return mapping == nullptr ? ErrorCode::kInternal : mapping->code;
}

ServerError::ServerError(ServerErrorFields fields)
    : Error(code_of_sqlstate(fields.sqlstate), make_message(fields), make_hint(fields)),
      fields_(std::move(fields)) {}

bool is_stale_plan(const ServerError& error) {
  // 0A000 is any feature_not_supported; its message is not translated for this case's prefix in
  // the servers that Coppice runs itself (lc_messages = C).
  return error.sqlstate() == "26000" ||
         (error.sqlstate() == "0A000" && error.fields().primary.rfind("cached plan", 0) == 0);
}

bool is_retryable(const ServerError& error) {
  return error.sqlstate() == "40001" || error.sqlstate() == "40P01" || is_stale_plan(error);
}

}  // namespace coppice::pg
