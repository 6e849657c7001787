#include "results/result_store.h"

#include <fmt/core.h>

#include <chrono>
#include <map>
#include <thread>

#include "base/error.h"
#include "base/hex.h"
#include "workers/protocol.h"

namespace coppice {
namespace {

// One array of PostgreSQL over texts without quotes, backslashes or commas.
template <typename Item, typename ToText>
std::string array_of(const std::vector<Item>& items, const ToText& to_text) {
  std::string array = "{";
  for (const Item& item : items) {
    if (array.size() > 1) array += ',';
    array += to_text(item);
  }
  return array + "}";
}

std::string hex_array(const std::vector<ResultKey>& keys) {
  return array_of(keys, [](const ResultKey& key) { return to_hex(key); });
}

std::string lock_array(const std::vector<ResultKey>& keys) {
  return array_of(keys, [](const ResultKey& key) { return std::to_string(lock_number(key)); });
}

std::string packed(const Value& value) {
  std::string frame;
  append_frame(frame, ResultMessage{0, 0, {value}});
  return frame.substr(kFrameHeaderBytes);
}

std::optional<Value> unpacked(std::string_view body) {
  try {
    const Message message = decode_message(body, true);
    const auto* const result = std::get_if<ResultMessage>(&message);
    if (result == nullptr || result->cells.size() != 1) return std::nullopt;
    const auto* const value = std::get_if<Value>(&result->cells[0]);
    return value == nullptr ? std::nullopt : std::optional<Value>(*value);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidInput) throw;
    return std::nullopt;  // a newer program's, or damaged: the call is made again
  }
}

}  // namespace

std::vector<std::optional<Value>> ResultStore::find(const std::vector<ResultKey>& keys) {
  std::vector<std::optional<Value>> found(keys.size());
  if (keys.empty()) return found;
  const pg::Result rows = connection_().exec_cached(
      "UPDATE coppice.results SET used_at = clock_timestamp(), hits = hits + 1 WHERE key = ANY "
      "(ARRAY(SELECT decode(k, 'hex') FROM unnest($1::text[]) AS k)) "
      "RETURNING encode(key, 'hex'), encode(value, 'hex')",
      {hex_array(keys)});
  std::map<std::string, std::optional<Value>, std::less<>> by_key;
  for (int row = 0; row < rows.rows(); ++row) {
    by_key.emplace(rows.text(row, 0), unpacked(from_hex(rows.text(row, 1)).value()));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto kept = by_key.find(to_hex(keys[i]));
    if (kept != by_key.end()) found[i] = kept->second;
  }
  return found;
}

std::vector<bool> ResultStore::claim(const std::vector<ResultKey>& keys) {
  std::vector<bool> claimed;
  if (keys.empty()) return claimed;
  const pg::Result rows = connection_().exec_cached(
      "SELECT pg_try_advisory_lock(k) FROM unnest($1::bigint[]) WITH ORDINALITY AS u(k, n) "
      "ORDER BY n",
      {lock_array(keys)});
  for (int row = 0; row < rows.rows(); ++row) claimed.push_back(rows.boolean(row, 0));
  return claimed;
}

void ResultStore::wait_for(const std::vector<ResultKey>& keys, const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kBetweenLooks{20};
  for (;;) {
    const pg::Result held = connection_().exec_cached(
        "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN unnest($1::bigint[]) AS k "
        "ON l.classid::bigint = (k >> 32) & 4294967295 AND l.objid::bigint = k & 4294967295 "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND l.pid <> pg_backend_pid())",
        {lock_array(keys)});
    if (!held.boolean(0, 0)) return;
    if (stop.stop_requested()) {
      throw Error(ErrorCode::kInterrupted,
                  "interrupted while another session makes the same calls");
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

void ResultStore::release(const std::vector<ResultKey>& keys) {
  if (keys.empty()) return;
  connection_().exec_cached("SELECT pg_advisory_unlock(k) FROM unnest($1::bigint[]) AS k",
                            {lock_array(keys)});
}

void ResultStore::keep(const DurableFunction& function, const std::vector<KeptResult>& results,
                       bool replace) {
  if (results.empty()) return;
  const auto column = [&](const auto& to_text) { return array_of(results, to_text); };
  const std::string conflict = replace
                                   ? "UPDATE SET value = excluded.value, media = excluded.media, "
                                     "seconds = excluded.seconds, money = excluded.money, made_at "
                                     "= excluded.made_at, used_at = excluded.used_at"
                                   : "NOTHING";
  connection_().exec_cached(
      "INSERT INTO coppice.results (key, function_id, code, value, media, seconds, money) "
      "SELECT decode(k, 'hex'), $1, $2, decode(v, 'hex'), m, s, p FROM unnest($3::text[], "
      "$4::text[], $5::text[], $6::float8[], $7::numeric[]) AS u(k, v, m, s, p) ON CONFLICT (key) "
      "DO " +
          conflict,
      {function.id, function.code, column([](const KeptResult& r) { return to_hex(r.key); }),
       column([](const KeptResult& r) { return to_hex(packed(r.value)); }),
       column([](const KeptResult& r) {
         return is_media(r.value.type) ? "\"" + r.value.text + "\"" : std::string("NULL");
       }),
       column([](const KeptResult& r) { return fmt::format("{:.6f}", r.seconds); }),
       column([](const KeptResult& r) { return r.money.text(); })});
}

}  // namespace coppice
