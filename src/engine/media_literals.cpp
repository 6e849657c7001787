#include "engine/media_literals.h"

#include <filesystem>

#include "media/frame_name.h"
#include "media/ingest.h"

namespace coppice::engine {

void take_media_literals(EngineContext& context, sql::Statement& statement,
                         const std::vector<exec::MediaLiteral>& literals) {
  const MediaIngest ingest(context.media, context.url_cache(),
                           {std::filesystem::current_path(), UrlPolicy::kTakeIn, true}, {});
  for (const exec::MediaLiteral& literal : literals) {
    if (FrameName::parse(literal.literal->sval->sval)) continue;  // of a stored video
    const auto kind = *kind_from_name(catalog::media_kind_name(literal.kind));
    try {
      const Ingested taken =
          ingest.take(literal.literal->sval->sval, kind, "", context.stop.get_token());
      literal.literal->sval->sval = statement.arena().copy(taken.value);
    } catch (const Error& error) {
      throw statement.error(error.code(), literal.literal->location, error.message(), error.hint());
    }
  }
}

}  // namespace coppice::engine
