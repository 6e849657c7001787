// mime_type, size_bytes and sha256 of any medium.
#include "functions/call.h"

namespace coppice::functions {

void add_common_functions(Implementations& all) {
  for (const std::string kind : {"image", "video", "audio", "document"}) {
    all["mime_type(" + kind + ")"] = [](const Call& call) {
      return give_text(call.media(0).mime_type());
    };
    all["size_bytes(" + kind + ")"] = [](const Call& call) {
      return give_integer(call.media(0).size_bytes());
    };
    all["sha256(" + kind + ")"] = [](const Call& call) {
      return give_text(call.media(0).sha256_hex());
    };
  }
}

}  // namespace coppice::functions
