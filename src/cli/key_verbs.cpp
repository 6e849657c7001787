#include <fmt/core.h>

#include "base/error.h"
#include "base/files.h"
#include "cli/json_text.h"
#include "cli/repository_words.h"
#include "cli/verb_functions.h"
#include "config/secret.h"

namespace coppice::cli {
namespace {

constexpr const char* kVariable = "COPPICE_REPO_NEW_PASSWORD";

NewKey new_key(Session& session) {
  const Invocation& arguments = session.arguments();
  NewKey key;
  key.label = arguments.value("--label").value_or("");
  const auto file = arguments.value("--new-key-file");
  const auto password_file = arguments.value("--new-password-file");
  const auto command = arguments.value("--new-password-command");
  if (static_cast<int>(file.has_value()) + static_cast<int>(password_file.has_value()) +
          static_cast<int>(command.has_value()) >
      1) {
    throw Error(
        ErrorCode::kUsage, "several new keys were given",
        "give one of --new-password-file, --new-password-command and --new-key-file at a time");
  }
  if (file) {
    key.kind = RepositoryAddress::Key::kKeyFile;
    key.secret = read_file(*file);
    return key;
  }
  Secrets secrets(session.environment());
  std::string reference = std::string("env:") + kVariable;
  if (password_file) reference = "file:" + std::filesystem::absolute(*password_file).string();
  if (command) reference = "cmd:" + *command;
  if (!secrets.is_there(reference)) {
    throw Error(ErrorCode::kUsage, "no new key was given",
                fmt::format("give --new-password-file, --new-password-command or --new-key-file, "
                            "or set {}",
                            kVariable));
  }
  key.secret = secrets.resolve(reference);
  if (!key.secret.empty()) return key;
  throw Error(ErrorCode::kUsage, "the new passphrase is empty",
              "an empty passphrase protects nothing");
}

}  // namespace

int run_key_list(Session& session) {
  PrintingSink sink = session.sink();
  session.factory().recovery()->list_keys(named_repository(session), sink);
  return 0;
}

int run_key_add(Session& session) {
  PrintingSink sink = session.sink();
  const std::string id =
      session.factory().recovery()->add_key(named_repository(session), new_key(session), sink);
  session.say(fmt::format("key {} opens the repository, too", short_backup_id(id)),
              JsonObject().add("id", id).text());
  return 0;
}

int run_key_remove(Session& session) {
  const RepositoryAddress repository = named_repository(session);
  const std::string& id = session.arguments().argument("KEY");
  session.confirm(fmt::format("take the key {} away", id));
  PrintingSink sink = session.sink();
  session.factory().recovery()->remove_key(repository, id, sink);
  session.say(
      fmt::format("the key {} is removed, and new data get a new key; what it could read until now "
                  "it still opens in a copy of the repository",
                  id),
      JsonObject().add("removed", id).text());
  return 0;
}

int run_key_rotate(Session& session) {
  PrintingSink sink = session.sink();
  session.factory().recovery()->rotate_keys(named_repository(session), sink);
  session.say("new data get a new key", JsonObject().add("rotated", true).text());
  return 0;
}

}  // namespace coppice::cli
