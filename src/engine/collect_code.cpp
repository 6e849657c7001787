#include "engine/collect_code.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "config/config.h"
#include "engine/function_code.h"

namespace coppice::engine {
namespace {

namespace fs = std::filesystem;

std::set<std::string> needed_digests(EngineContext& context) {
  const pg::Result rows = context.main.exec(
      "SELECT DISTINCT digest FROM coppice.functions f WHERE replaced_at IS NULL "
      "OR EXISTS (SELECT FROM coppice.column_functions u "
      "WHERE u.function_id = f.function_id AND u.version = f.version) "
      "OR EXISTS (SELECT FROM coppice.operations o WHERE o.begun_at < f.replaced_at "
      "AND o.state IN ('running', 'interrupted', 'paused'))");
  std::set<std::string> digests;
  for (int row = 0; row < rows.rows(); ++row) digests.emplace(rows.text(row, 0));
  return digests;
}

bool is_digest(const std::string& name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::int64_t changed_us(const fs::path& folder) {
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) throw_errno("look at " + folder.string());
  return std::int64_t{facts.st_mtim.tv_sec} * 1'000'000 + facts.st_mtim.tv_nsec / 1000;
}

}  // namespace

std::vector<UnusedCode> unused_code(EngineContext& context, std::int64_t before_us) {
  const fs::path folder = code_folder(context.config.home(), "");
  std::vector<UnusedCode> unused;
  if (!fs::exists(folder)) return unused;
  // Listed before the catalog is asked: a copy that comes meanwhile is not among them.
  for (const fs::directory_entry& copy : fs::directory_iterator(folder)) {
    const std::string digest = copy.path().filename().string();
    if (!is_digest(digest) || !copy.is_directory() || changed_us(copy.path()) >= before_us)
      continue;
    UnusedCode code{digest, 0};
    for (const fs::directory_entry& file : fs::directory_iterator(copy.path())) {
      code.size_bytes += file.is_regular_file() ? file.file_size() : 0;
    }
    unused.push_back(std::move(code));
  }
  const std::set<std::string> needed = needed_digests(context);
  std::erase_if(unused, [&](const UnusedCode& code) { return needed.contains(code.digest); });
  std::sort(unused.begin(), unused.end(), [](const UnusedCode& one, const UnusedCode& other) {
    return one.digest < other.digest;
  });
  return unused;
}

bool remove_code(EngineContext& context, const UnusedCode& code, std::int64_t before_us) {
  const fs::path folder = code_folder(context.config.home(), code.digest);
  std::error_code error;
  if (!fs::exists(folder, error) || changed_us(folder) >= before_us) return false;
  const std::uintmax_t removed = fs::remove_all(folder, error);
  if (!error) return removed > 0;
  throw Error(ErrorCode::kIo,
              fmt::format("cannot remove {}: {}", folder.string(), error.message()));
}

}  // namespace coppice::engine
