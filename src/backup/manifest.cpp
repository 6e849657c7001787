#include "backup/manifest.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace coppice {

using nlohmann::json;

std::string manifest_text(const Manifest& manifest) {
  json points = json::array();
  for (const BackupPoint& point : manifest.points) {
    points.push_back({{"tree", point.tree},
                      {"version", point.version},
                      {"published_at", point.published_at},
                      {"tables", point.tables}});
  }
  json content = {{"format", kBackupFormat},
                  {"kind", manifest.kind},
                  {"created_at", manifest.created_at},
                  {"moment", manifest.moment},
                  {"program", manifest.program},
                  {"catalog_format", manifest.catalog_format},
                  {"server_version", manifest.server_version},
                  {"home", manifest.home},
                  {"home_id", manifest.home_id},
                  {"sequence", manifest.sequence},
                  {"host", manifest.host},
                  {"tags", manifest.tags},
                  {"root", manifest.root},
                  {"history_root", manifest.history_root},
                  {"trees", {manifest.tree.hex()}},
                  {"points", points},
                  {"damaged", manifest.damaged},
                  {"rows", manifest.rows},
                  {"media_objects", manifest.media_objects},
                  {"media_bytes", manifest.media_bytes},
                  {"bytes_total", manifest.bytes_total},
                  {"bytes_written", manifest.bytes_written},
                  {"seconds", manifest.seconds}};
  if (manifest.measures) {
    content["measures"] = to_json(*manifest.measures);
    content["suspect"] = manifest.suspect;
  }
  return content.dump();
}

Manifest parse_manifest(std::string_view text, const std::string& name) {
  try {
    const json content = json::parse(text);
    if (content.at("format").get<int>() > kBackupFormat) {
      throw Error(ErrorCode::kNewerFormat,
                  fmt::format("the backup {} has format {}, and this program knows {}", name,
                              content.at("format").get<int>(), kBackupFormat),
                  "use a newer coppice");
    }
    Manifest manifest;
    manifest.kind = content.at("kind").get<std::string>();
    manifest.created_at = content.at("created_at").get<std::string>();
    manifest.moment = content.at("moment").get<std::string>();
    manifest.program = content.at("program").get<std::string>();
    manifest.catalog_format = content.at("catalog_format").get<int>();
    manifest.server_version = content.at("server_version").get<int>();
    manifest.home = content.at("home").get<std::string>();
    manifest.home_id = content.at("home_id").get<std::string>();
    manifest.sequence = content.value("sequence", std::uint64_t{0});
    manifest.host = content.at("host").get<std::string>();
    manifest.tags = content.at("tags").get<std::vector<std::string>>();
    manifest.root = content.at("root").get<std::string>();
    manifest.history_root = content.at("history_root").get<std::string>();
    manifest.tree = {repo::digest_from_hex(content.at("trees").at(0).get<std::string>())};
    manifest.damaged = content.at("damaged").get<std::vector<std::string>>();
    manifest.rows = content.at("rows").get<std::uint64_t>();
    manifest.media_objects = content.at("media_objects").get<std::uint64_t>();
    manifest.media_bytes = content.at("media_bytes").get<std::uint64_t>();
    manifest.bytes_total = content.at("bytes_total").get<std::uint64_t>();
    manifest.bytes_written = content.at("bytes_written").get<std::uint64_t>();
    manifest.seconds = content.at("seconds").get<double>();
    if (content.contains("measures")) {
      manifest.measures = measures_from(content.at("measures"));
      manifest.suspect = content.value("suspect", std::vector<std::string>());
    }
    for (const json& item : content.at("points")) {
      manifest.points.push_back({item.at("tree").get<std::int64_t>(),
                                 item.at("version").get<std::int64_t>(),
                                 item.at("published_at").get<std::string>(),
                                 item.at("tables").get<std::vector<std::string>>()});
    }
    return manifest;
  } catch (const json::exception&) {
    throw Error(ErrorCode::kIntegrity,
                fmt::format("the backup {} is not what one looks like", name));
  }
}

}  // namespace coppice
