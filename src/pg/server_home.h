// ServerHome: the places of a private server in its home, and who owns them.
//
// Model    HOME/pgdata       the data, 0700, of the server's account
//          HOME/run          the unix socket, 0700; when its path would be too long for a socket
//                            name, /run/coppice-<hash of the home> for root, else
//                            /tmp/coppice-<hash>: both are the same for every process and last
//                            longer than a login, which /run/user does not
//          HOME/log/postgresql.log   what the server says; at most two files of 16 MiB
//          HOME/server.lock  held while a server is made, started or stopped
//          Under root the home itself stays root's and the server's account may only pass, so that
//          a worker cannot replace the configuration that root reads.
// Errors   kRefused with the path and the fix; kIo.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/process.h"

namespace coppice::pg {

class ServerHome {
 public:
  explicit ServerHome(const std::filesystem::path& home);

  const std::filesystem::path& folder() const { return home_; }
  std::filesystem::path data() const { return home_ / "pgdata"; }
  std::filesystem::path log_file() const { return home_ / "log" / "postgresql.log"; }
  std::filesystem::path lock_file() const { return home_ / "server.lock"; }
  // Where the socket belongs; a running server may have it elsewhere if the home was moved.
  std::filesystem::path socket_folder() const;
  std::filesystem::path socket_file(const std::filesystem::path& folder) const;

  // The account of the server; looked up once.
  const Account& account() const;

  // Makes the home's folders, and hands over what the server's account has to own.
  void prepare() const;
  void prepare_socket_folder() const;
  void prepare_log_file() const;
  // Keeps the log bounded, while the server runs too.
  void rotate_log() const noexcept;

  // nullopt when another process holds it.
  std::optional<FileDescriptor> try_lock() const;
  // Replaces a file of the server as a whole; it belongs to the server's account.
  void write_server_file(const std::filesystem::path& file, std::string_view bytes) const;
  // The accounts that may open the database: the server's, the home's owner's and root.
  std::vector<std::string> admitted_accounts() const;
  // Runs one of PostgreSQL's programs under the account, with nothing inherited that could change
  // what it does.
  ChildOptions program(std::vector<std::string> argv) const;

 private:
  void check_path() const;
  void open_home_to_account() const;

  std::filesystem::path home_;
  mutable std::optional<Account> account_;
};

}  // namespace coppice::pg
