// Text: UTF-8 checks, nearest names for "did you mean", splitting, and figures for people.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coppice {

// The byte offset of the first sequence that is not UTF-8 (or is a NUL), or nullopt.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

// A place in a text, both counted from 1; columns are characters, not bytes.
struct LineColumn {
  std::size_t line = 1;
  std::size_t column = 1;
};
LineColumn line_column(std::string_view text, std::size_t byte_offset);

// The candidate with the smallest edit distance, if it is near enough to be meant.
std::optional<std::string> nearest_name(std::string_view name,
                                        std::span<const std::string> candidates);
// "did you mean \"x\"?", or empty.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

// A word of a command line: in single quotes where a shell would see more in it than a text.
std::string shell_quoted(std::string_view word);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string lower(std::string_view text);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

std::string human_bytes(std::uint64_t size_bytes);  // "1.4 MiB"
std::string human_seconds(double seconds);          // "350 ms", "2 m 05 s"

}  // namespace coppice
