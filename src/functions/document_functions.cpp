// The engine functions of documents.
#include <nlohmann/json.hpp>

#include "functions/call.h"

namespace coppice::functions {
namespace {

Operand page_image(const Call& call) {
  std::optional<Image> page = call.document().page_image(call.integer(1), call.integer(2));
  return page ? call.give(std::move(*page)) : give_null();
}

Operand probe(const Call& call) {
  Document& document = call.document();
  document.check_readable();
  return give_json({{"kind", "document"},
                    {"format", document.format_name()},
                    {"extension", document.extension()},
                    {"mime_type", call.media(0).mime_type()},
                    {"page_count", document.page_count()},
                    {"size_bytes", call.media(0).size_bytes()}});
}

}  // namespace

void add_document_functions(Implementations& all) {
  all["page_count(document)"] = [](const Call& call) {
    return give_integer(call.document().page_count());
  };
  all["text(document)"] = [](const Call& call) { return give_text(call.document().text()); };
  all["metadata(document)"] = [](const Call& call) {
    return give_json(call.document().metadata());
  };
  all["page_image(document,bigint,bigint)"] = page_image;
  all["probe(document)"] = probe;
}

}  // namespace coppice::functions
