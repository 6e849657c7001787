#include "backup/field_hash.h"

namespace coppice {
namespace {

constexpr std::size_t kMostWaiting = 64 * 1024;

}  // namespace

void append_count(std::string& bytes, std::uint64_t count) {
  for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(count >> shift & 255);
}

void append_text(std::string& bytes, std::string_view text) {
  bytes += '\1';
  append_count(bytes, text.size());
  bytes += text;
}

void append_missing(std::string& bytes) { bytes += '\0'; }

FieldHash::FieldHash(std::string_view form) { text(form); }

FieldHash& FieldHash::text(std::string_view text) {
  append_text(waiting_, text);
  if (waiting_.size() > kMostWaiting) flush();
  return *this;
}

FieldHash& FieldHash::optional(const std::optional<std::string>& text) {
  if (text) return this->text(*text);
  append_missing(waiting_);
  return *this;
}

FieldHash& FieldHash::flag(bool value) { return text(value ? "t" : "f"); }

FieldHash& FieldHash::count(std::uint64_t count) {
  append_count(waiting_, count);
  return *this;
}

FieldHash& FieldHash::digest(const Digest& digest) {
  return text({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Digest FieldHash::finish() {
  flush();
  return hash_.finish();
}

void FieldHash::flush() {
  hash_.update(waiting_);
  waiting_.clear();
}

}  // namespace coppice
