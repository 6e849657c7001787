#include "workers/value.h"

namespace coppice {

bool is_media(ValueType type) {
  return type == ValueType::kImage || type == ValueType::kVideo || type == ValueType::kAudio ||
         type == ValueType::kDocument;
}

bool is_array(ValueType type) {
  return type == ValueType::kFloatArray || type == ValueType::kRealArray;
}

std::size_t element_bytes(ValueType type) {
  return type == ValueType::kRealArray ? sizeof(float) : sizeof(double);
}

std::string sql_type_name(ValueType type) {
  switch (type) {
    case ValueType::kNull:
      return "unknown";
    case ValueType::kBoolean:
      return "boolean";
    case ValueType::kInteger:
      return "bigint";
    case ValueType::kFloat:
      return "float8";
    case ValueType::kText:
      return "text";
    case ValueType::kJson:
      return "jsonb";
    case ValueType::kImage:
      return "image";
    case ValueType::kVideo:
      return "video";
    case ValueType::kAudio:
      return "audio";
    case ValueType::kDocument:
      return "document";
    case ValueType::kFloatArray:
      return "float8[]";
    case ValueType::kRealArray:
      return "real[]";
  }
  return "unknown";
}

}  // namespace coppice
