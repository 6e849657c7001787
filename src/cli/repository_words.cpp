#include "cli/repository_words.h"

#include <fmt/core.h>

#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "config/secret.h"

namespace coppice::cli {
namespace {

// The key that was given in the words of the command, else the one that the settings name.
void find_key(Session& session, RepositoryAddress& address) {
  const Invocation& arguments = session.arguments();
  using Key = RepositoryAddress::Key;
  Secrets secrets(session.environment());
  if (const auto file = arguments.value("--key-file")) {
    address.key = Key::kKeyFile;
    address.secret = read_file(*file);
    return;
  }
  const bool is_said = arguments.has("--password-file") || arguments.has("--password-command");
  const std::string& key_file = session.config().text("backup.key_file");
  if (!key_file.empty() && !is_said && !address.no_encryption) {
    address.key = Key::kKeyFile;
    address.secret = read_file(session.config().home() / key_file);
    return;
  }
  std::string reference = session.config().text("backup.password");
  if (const auto file = arguments.value("--password-file")) {
    reference = "file:" + std::filesystem::absolute(*file).string();
  } else if (const auto command = arguments.value("--password-command")) {
    reference = "cmd:" + *command;
  } else if (address.no_encryption || !secrets.is_there(reference)) {
    return;
  }
  address.key = Key::kPassphrase;
  address.secret = secrets.resolve(reference);
  if (!address.secret.empty()) return;
  throw Error(ErrorCode::kUsage, "the passphrase of the repository is empty",
              "an empty passphrase protects nothing; --no-encryption says so aloud");
}

std::uint64_t limit_rate(Session& session) {
  constexpr std::uint64_t kKib = 1024;
  const auto said = session.arguments().value("--limit-rate");
  if (!said)
    return static_cast<std::uint64_t>(session.config().integer("backup.limit_rate")) * kKib;
  std::uint32_t kib = 0;
  const auto [end, error] = std::from_chars(said->data(), said->data() + said->size(), kib);
  if (error == std::errc() && end == said->data() + said->size() && kib > 0) return kib * kKib;
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no rate", *said),
              "write a number of KiB a second, like 20480 for 20 MiB/s");
}

}  // namespace

RepositoryAddress named_repository(Session& session) {
  const Invocation& arguments = session.arguments();
  RepositoryAddress address;
  address.url = arguments.value("--repo").value_or(session.config().text("backup.repository"));
  address.no_encryption = arguments.has("--no-encryption");
  const int keys = static_cast<int>(arguments.has("--key-file")) +
                   static_cast<int>(arguments.has("--password-file")) +
                   static_cast<int>(arguments.has("--password-command"));
  if (keys > 1) {
    throw Error(ErrorCode::kUsage, "several keys were given",
                "give one of --password-file, --password-command and --key-file");
  }
  find_key(session, address);
  address.bytes_per_second = limit_rate(session);
  return address;
}

}  // namespace coppice::cli
