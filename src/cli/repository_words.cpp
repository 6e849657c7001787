#include "cli/repository_words.h"

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
  return address;
}

}  // namespace coppice::cli
