#include "recovery/dump_program.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"
#include "pg/conninfo.h"

namespace coppice::recovery {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;
constexpr std::size_t kMostSaid = 64 << 10;

// What libpq reads, and what it needs to find its files.
std::map<std::string, std::string> client_environment(const std::string& conninfo) {
  std::map<std::string, std::string> kept;
  for (const auto& [name, value] : process_environment()) {
    const bool is_kept = name.starts_with("PG") || name.starts_with("KRB5") || name == "HOME" ||
                         name == "USER" || name == "LOGNAME";
    if (is_kept) kept[name] = value;
  }
  const pg::ConninfoOptions options = pg::parse_conninfo(conninfo);
  if (const auto password = options.find("password"); password != options.end()) {
    kept["PGPASSWORD"] = password->second;
  }
  return kept;
}

ChildOptions options_of(const pg::ClientProgram& program, std::vector<std::string> arguments,
                        const std::string& conninfo, DumpProgram::Stream stream) {
  const bool reads_us = stream == DumpProgram::Stream::kInput;
  ChildOptions options;
  options.argv = {program.file.string(), "--no-password"};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.argv.push_back("--dbname=" + pg::without_password(conninfo));
  options.environment = client_environment(conninfo);
  options.clear_environment = true;
  options.input = reads_us ? Pipe::kPipe : Pipe::kNull;
  options.output = reads_us ? Pipe::kNull : Pipe::kPipe;
  options.errors = Pipe::kPipe;
  return options;
}

// Its end matters most; the beginning of what it said names the cause.
void listen(int fd, std::string& said) {
  std::string buffer(4096, '\0');
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    if (said.size() < kMostSaid) said.append(buffer, 0, static_cast<std::size_t>(count));
  }
}

}  // namespace

DumpProgram::DumpProgram(const pg::ClientProgram& program, std::vector<std::string> arguments,
                         const std::string& conninfo, Stream stream)
    : name_(program.file.filename().string()),
      child_(ChildProcess::start(options_of(program, std::move(arguments), conninfo, stream))),
      listening_([this] { listen(child_.errors_fd(), said_); }) {
  // Fewer calls; where the system does not allow it, more.
  const int fd = stream == Stream::kOutput ? child_.output_fd() : child_.input_fd();
  ::fcntl(fd, F_SETPIPE_SZ, static_cast<int>(kReadBytes));
}

DumpProgram::~DumpProgram() {
  if (!listening_.joinable()) return;
  child_.kill();
  listening_.join();
}

void DumpProgram::read(const std::function<void(std::string_view)>& visit) {
  std::string buffer(kReadBytes, '\0');
  for (;;) {
    const ssize_t count = ::read(child_.output_fd(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("read what " + name_ + " writes");
    if (count == 0) return;
    visit(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)));
  }
}

bool DumpProgram::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(child_.input_fd(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EPIPE) return false;
    if (count < 0) throw_errno("write to " + name_);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string DumpProgram::finish() {
  child_.close_input();
  const ExitStatus status = child_.wait();
  listening_.join();
  const std::string said(trim(said_));
  if (status.ok()) return said;
  const std::string how = status.signal != 0 ? fmt::format("signal {}", status.signal)
                                             : fmt::format("exit code {}", status.code);
  throw Error(ErrorCode::kUnavailable,
              fmt::format("{} failed ({}){}{}", name_, how, said.empty() ? "" : ": ", said));
}

}  // namespace coppice::recovery
