// invoke: one run of the command line in a test, with its streams in memory.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "base/files.h"
#include "cli/fake_engine.h"
#include "cli/run.h"

namespace coppice::cli {

struct Outcome {
  int code = 0;
  std::string output;
  std::string errors;
};

inline std::string content_of(int fd) {
  std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  if (::pread(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return "?";
  return text;
}

inline Outcome invoke(FakeState& state, const std::vector<std::string>& arguments,
                      const std::string& input = {}, const Environment& environment = {}) {
  const FileDescriptor in(::memfd_create("in", MFD_CLOEXEC));
  const FileDescriptor out(::memfd_create("out", MFD_CLOEXEC));
  const FileDescriptor err(::memfd_create("err", MFD_CLOEXEC));
  write_all(in.get(), input, "input");
  ::lseek(in.get(), 0, SEEK_SET);
  FakeFactory factory(state);
  Outcome outcome;
  Environment all = {{"HOME", "/nonexistent"}, {"COPPICE_HOME", "/nonexistent/coppice"}};
  for (const auto& [name, value] : environment) all[name] = value;
  outcome.code = run(arguments, factory, {in.get(), out.get(), err.get()}, all);
  outcome.output = content_of(out.get());
  outcome.errors = content_of(err.get());
  return outcome;
}

}  // namespace coppice::cli
