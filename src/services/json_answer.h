// JsonAnswer: a JSON text that was received, read by JSON pointers (RFC 6901).
//
// Model    parse() takes any bytes; what is not UTF-8 JSON of at most 1024 levels is refused. Then
//          the getters give what is there under a pointer and of their type, else nullopt.
// Threads  An object belongs to one thread; its memory is used again by the next parse().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workers/value.h"

namespace coppice::services {

class JsonAnswer {
 public:
  JsonAnswer();
  ~JsonAnswer();
  JsonAnswer(const JsonAnswer&) = delete;
  JsonAnswer& operator=(const JsonAnswer&) = delete;

  // Why it is not JSON, or nullopt. The bytes are copied.
  std::optional<std::string> parse(std::string_view bytes);

  bool has(const std::string& pointer) const;  // and is not null
  bool is_null(const std::string& pointer) const;
  std::optional<std::string> text(const std::string& pointer) const;
  std::optional<std::int64_t> integer(const std::string& pointer) const;
  std::optional<double> number(const std::string& pointer) const;
  std::optional<bool> boolean(const std::string& pointer) const;
  std::optional<std::vector<double>> numbers(const std::string& pointer) const;
  std::optional<std::size_t> array_size(const std::string& pointer) const;
  // Any value as JSON, without needless blanks.
  std::optional<std::string> json(const std::string& pointer) const;

 private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed_;
};

// The first `most_characters` of a text, on one line.
std::string excerpt(std::string_view text, std::size_t most_characters);

// A text or JSON text that PostgreSQL does not take, because it stands for the character NUL.
bool holds_nul(const Value& value);

}  // namespace coppice::services
