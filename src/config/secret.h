// Secrets: passwords and keys by reference: env:NAME, file:/path, cmd:program arguments.
//
// Model    A reference may be stored, shown and backed up; what it stands for may not. It is
// resolved
//          when first used and kept for the life of this object. What goes into a message passes
//          through filtered(), which knows every secret that was resolved.
// Errors   kUsage for a text that is no reference, kNotFound where there is nothing, kRefused for a
//          file that others can read, kUnavailable for a program that fails. No message repeats a
//          secret, a text that may be one, or what a program printed.
// Threads  Every method may be called from any thread.
// Source   docs/formats/http_functions.md, "Secret references"
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace coppice {

// What is wrong with `text` as a reference, without repeating it; nullopt when it is one.
std::optional<std::string> secret_reference_refusal(std::string_view text);

// A reference fit for showing: of cmd: only the program, of what is no reference nothing.
std::string printable_reference(std::string_view reference);

// The words of a command line: separated by blanks, '…' and "…" keep them. Throws kUsage when a
// quote is not closed.
std::vector<std::string> split_words(std::string_view text);

class Secrets {
 public:
  explicit Secrets(Environment environment) : environment_(std::move(environment)) {}

  std::string resolve(const std::string& reference);
  // False for an environment variable that is not set (or empty); true for every other reference.
  bool is_there(const std::string& reference) const;
  // `text` with "***" in place of every secret that was resolved.
  std::string filtered(std::string text) const;

 private:
  std::string read(const std::string& reference) const;

  Environment environment_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> values_;  // by reference
};

}  // namespace coppice
