// Server account: the operating-system account under which a private server runs.
//
// Model    PostgreSQL refuses to run as root. For root, the server of a home runs as whoever owns
//          its data, else as the owner of the home, else as the account `coppice`; for anybody
//          else it runs as themselves.
// Errors   kNotFound, kRefused: with the command that puts it right.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/process.h"

namespace coppice::pg {

constexpr const char* kServerAccount = "coppice";

Account server_account(const std::filesystem::path& home, const std::filesystem::path& data);

// For install scripts, as root: makes the system account when it is not there.
void ensure_account(const std::string& name = kServerAccount);

// The account's own name and number by user id; nullopt when the system does not know it.
std::optional<Account> account_of(uid_t uid);

// The first folder on the way to `folder` (itself included) that `account` may not enter.
std::optional<std::filesystem::path> first_closed_folder(const std::filesystem::path& folder,
                                                         const Account& account);
// Throws kRefused, naming that folder, its mode and the fix.
void require_reachable(const std::filesystem::path& folder, const Account& account);

}  // namespace coppice::pg
