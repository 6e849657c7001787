#include "recovery/pin.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/root_sums.h"

namespace coppice::recovery {
namespace {

using std::chrono::steady_clock;

constexpr const char* kLifetime = "15 minutes";
constexpr std::chrono::minutes kRenewEvery{1};

}  // namespace

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "?";
  return name;
}

Pin::Pin(pg::Connection& connection, std::string who)
    : connection_(connection), who_(std::move(who)), id_(to_hex(random_bytes(8))) {
  take();
}

Pin::~Pin() {
  try {
    connection_.exec_params("DELETE FROM coppice.pins WHERE pin_id = $1", {id_});
  } catch (const Error&) {
    // It expires.
  }
}

void Pin::take() {
  connection_.exec("DELETE FROM coppice.pins WHERE expires_at < clock_timestamp()");
  connection_.exec_params(
      "INSERT INTO coppice.pins SELECT $1, t.tree_id, t.floor_version, $2, "
      "clock_timestamp() + $3::interval FROM (SELECT * FROM coppice.trees FOR SHARE) t "
      "ON CONFLICT DO NOTHING",
      {id_, who_, std::string(kLifetime)});
  renewed_ = steady_clock::now();
}

void Pin::renew_if_due() {
  if (steady_clock::now() - renewed_ < kRenewEvery) return;
  const pg::Result kept = connection_.exec_params(
      "UPDATE coppice.pins SET expires_at = clock_timestamp() + $2::interval "
      "WHERE pin_id = $1 AND expires_at > clock_timestamp() RETURNING tree_id",
      {id_, std::string(kLifetime)});
  if (kept.rows() == 0) throw engine::ContentMoved();  // slept for too long
  renewed_ = steady_clock::now();
}

}  // namespace coppice::recovery
