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

bool has_own_key(Session& session, const std::string& name) {
  const Invocation& arguments = session.arguments();
  return arguments.has(name + "-key-file") || arguments.has(name + "-password-file") ||
         arguments.has(name + "-no-encryption");
}

RepositoryAddress other_repository(Session& session, const std::string& name,
                                   const RepositoryAddress& first) {
  const Invocation& arguments = session.arguments();
  RepositoryAddress address = first;
  address.url = arguments.value(name).value_or("");
  if (!has_own_key(session, name)) return address;
  address.key = RepositoryAddress::Key::kNone;
  address.secret.clear();
  address.no_encryption = arguments.has(name + "-no-encryption");
  const auto key_file = arguments.value(name + "-key-file");
  const auto password_file = arguments.value(name + "-password-file");
  if (static_cast<int>(key_file.has_value()) + static_cast<int>(password_file.has_value()) +
          static_cast<int>(address.no_encryption) >
      1) {
    throw Error(
        ErrorCode::kUsage, fmt::format("several keys were given for {}", name),
        fmt::format("give one of {0}-password-file, {0}-key-file and {0}-no-encryption", name));
  }
  if (key_file) {
    address.key = RepositoryAddress::Key::kKeyFile;
    address.secret = read_file(*key_file);
  } else if (password_file) {
    address.key = RepositoryAddress::Key::kPassphrase;
    address.secret = Secrets(session.environment())
                         .resolve("file:" + std::filesystem::absolute(*password_file).string());
  }
  return address;
}

}  // namespace coppice::cli
