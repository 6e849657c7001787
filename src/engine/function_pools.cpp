#include "engine/function_pools.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "engine/context.h"
#include "engine/frame_pool.h"
#include "engine/function_costs.h"
#include "media/sniff.h"
#include "workers/metered_pool.h"

namespace coppice::engine {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Importing a model's framework takes its time.
constexpr seconds kStartTimeout{180};
// A program that is late is ended by its worker; a worker that is late is ended this much later.
constexpr seconds kCommandGrace{5};
constexpr const char* kSystemPython = "/usr/bin/python3";

// In a build folder beside the program, or where `cmake --install` puts it.
fs::path worker_folder() {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  for (const fs::path& folder :
       {program / "python", program.parent_path() / "lib/coppice/python"}) {
    std::error_code error;
    const fs::path found = fs::canonical(folder, error);
    if (!error && fs::exists(found / "coppice_worker.py")) return found;
  }
  throw Error(ErrorCode::kUnavailable, "the Python worker of Coppice is not installed",
              "reinstall Coppice: lib/coppice/python is missing beside its bin folder");
}

// A folder for what one pool's workers write. Those of processes that are gone are removed.
std::unique_ptr<ScratchFolder> make_scratch(const fs::path& home,
                                            const std::optional<Account>& owner) {
  const fs::path parent = home / "scratch";
  fs::create_directories(parent);
  fs::permissions(parent, static_cast<fs::perms>(0755));
  for (const fs::directory_entry& entry : fs::directory_iterator(parent)) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || ::kill(pid, 0) == 0 || errno != ESRCH) continue;
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
  auto scratch = std::make_unique<ScratchFolder>(parent, fmt::format("{}-", ::getpid()));
  if (owner && ::geteuid() == 0 && ::chown(scratch->path().c_str(), owner->uid, owner->gid) != 0) {
    throw_errno("give away " + scratch->path().string());
  }
  return scratch;
}

fs::path interpreter_of(const UserFunction& function, const FunctionSettings& settings) {
  const bool own = function.signature.language == FunctionLanguage::kPython;
  return own && !settings.python.empty() ? settings.python : fs::path(kSystemPython);
}

std::string task_of(const UserFunction& function, const FunctionSettings& settings,
                    const fs::path& home, const fs::path& scratch, milliseconds timeout) {
  const Signature& signature = function.signature;
  nlohmann::json task = {{"language", language_name(signature.language)},
                         {"result", sql_type_name(signature.result)},
                         {"scratch", scratch.string()},
                         {"batch", settings.batch},
                         {"timeout_s", std::chrono::duration<double>(timeout).count()}};
  task["parameters"] = nlohmann::json::array();
  for (const Parameter& parameter : signature.parameters) {
    task["parameters"].push_back(sql_type_name(parameter.type));
  }
  const std::optional<fs::path> file = code_file(home, function);
  if (signature.language == FunctionLanguage::kPython) {
    task["file"] = file->string();
    task["name"] = python_name(function.source);
  } else {
    std::vector<std::string> words = function.words;
    // The program is no text with holes: its braces are its own.
    if (file) words[0] = file->string();
    task["words"] = words;
  }
  return task.dump();
}

void reach(ProcessPoolOptions& options, FileAccess access, std::initializer_list<fs::path> paths) {
  for (const fs::path& path : paths) options.reachable.push_back({path, access});
}

void reach_network(ProcessPoolOptions& options) {
  options.network = true;
  reach(options, FileAccess::kRead,
        {"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
         "/etc/services", "/etc/ssl", "/etc/ca-certificates", "/run/systemd/resolve"});
}

void reach_devices(ProcessPoolOptions& options, const std::vector<std::string>& devices) {
  options.environment["CUDA_VISIBLE_DEVICES"] = join(devices, ",");
  if (devices.empty()) return;
  reach(options, FileAccess::kWrite,
        {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"});
  for (const std::string& device : devices) {
    reach(options, FileAccess::kWrite, {"/dev/nvidia" + device});
  }
}

// Beside `workers` other processes a library need not start a thread a core.
void set_threads(ProcessPoolOptions& options) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int workers = options.worker_count > 0 ? options.worker_count : cores;
  const std::string count = std::to_string(std::max(1, cores / workers));
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) {
    options.environment[name] = count;
  }
}

ProcessPoolOptions pool_options(const Config& config, const UserFunction& function,
                                const fs::path& scratch) {
  const FunctionSettings settings =
      read_function_settings(function.settings, function.signature.language);
  ProcessPoolOptions options = function_worker_options(config);
  const bool command = function.signature.language == FunctionLanguage::kCommand;
  const milliseconds timeout = settings.timeout.value_or(options.row_timeout);
  const fs::path python = interpreter_of(function, settings);
  const fs::path folder = worker_folder();
  options.argv = {python,    "-I",
                  "-B",      "-X",
                  "utf8",    folder / "coppice_worker.py",
                  "--serve", task_of(function, settings, config.home(), scratch, timeout)};
  options.row_timeout = timeout + (command ? milliseconds(kCommandGrace) : milliseconds(0));
  options.start_timeout = kStartTimeout;
  options.answers_late = true;
  options.batch_rows = function.batched ? settings.batch : 1;
  if (settings.workers > 0) options.worker_count = settings.workers;
  options.memory_limit_bytes = settings.memory_bytes;
  options.media_access = FileAccess::kRead;
  options.environment.clear();
  options.environment["HOME"] = options.environment["TMPDIR"] = scratch;
  set_threads(options);
  reach(options, FileAccess::kWrite, {scratch});
  reach(options, FileAccess::kRead, {folder});
  reach(options, FileAccess::kRun, {code_folder(config.home(), function.digest)});
  if (python != kSystemPython) {
    reach(options, FileAccess::kRun,
          {python.parent_path().parent_path(), fs::canonical(python).parent_path().parent_path()});
  }
  for (const fs::path& file : settings.files) reach(options, FileAccess::kRead, {file});
  if (settings.network) reach_network(options);
  reach_devices(options, settings.gpu);
  return options;
}

// One function's workers, and what they have made.
class UserFunctionPool final : public FunctionPool {
 public:
  UserFunctionPool(const Config& config, MediaStore& media, const UserFunction& function)
      : media_(media),
        scratch_(make_scratch(config.home(), function_worker_options(config).account)),
        workers_(pool_options(config, function, scratch_->path())) {}

  BatchResult evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                       std::stop_token stop) override {
    BatchResult results = workers_.evaluate(fragments, batch, std::move(stop));
    for (std::vector<Cell>& cells : results) {
      for (Cell& cell : cells) {
        auto* const value = std::get_if<Value>(&cell);
        if (value != nullptr && is_media(value->type)) cell = take(*value);
      }
    }
    return results;
  }

 private:
  Cell take(Value value) {
    const fs::path file(value.text);
    if (file.parent_path() != scratch_->path() || file.filename() == "..") {
      return CellFailure{"protocol", fmt::format("the worker names {}, which is not a file that it "
                                                 "may give",
                                                 value.text)};
    }
    // Through a descriptor: what is looked at is what is taken.
    const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return CellFailure{"missing",
                         fmt::format("the function gave {}, which is no file", file.string())};
    }
    std::string first(kSniffBytes, '\0');
    const ssize_t count = ::pread(fd.get(), first.data(), first.size(), 0);
    first.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    const auto wanted = kind_from_name(sql_type_name(value.type));
    const auto type = sniff(first, wanted);
    if (!type || type->kind != wanted) {
      return CellFailure{"type", fmt::format("the function wrote {}, not {}",
                                             first.empty() ? "an empty file"
                                             : type        ? std::string(type->description)
                                                           : "a file of no known type",
                                             kind_with_article(*wanted))};
    }
    const std::string path = fmt::format("/proc/self/fd/{}", fd.get());
    value.text = media_.put_file(path, type->extension, false).text();
    std::error_code ignored;
    fs::remove(file, ignored);
    return value;
  }

  MediaStore& media_;
  std::unique_ptr<ScratchFolder> scratch_;
  ProcessPool workers_;
};

std::string last_line(const std::string& text) {
  const std::string trimmed(trim(text));
  return trimmed.substr(trimmed.rfind('\n') + 1);
}

}  // namespace

FunctionPools::FunctionPools(const Config& config, MediaStore& media, HomeSpending& spending,
                             std::function<pg::Connection()> open, FunctionPool& builtin)
    : config_(config),
      media_(media),
      spending_(spending),
      open_(std::move(open)),
      builtin_(builtin) {}

FunctionPools::~FunctionPools() = default;

std::unique_ptr<FunctionPool> FunctionPools::make_pool(const UserFunction& function) {
  return std::make_unique<FramePool>(make_pool_for_files(function), builtin_);
}

std::unique_ptr<FunctionPool> FunctionPools::make_pool_for_files(const UserFunction& function) {
  const FunctionCosts costs = function_costs(function);
  SpendingMeter& meter = spending_.meter(function.signature.id, costs.budget);
  if (function.signature.language != FunctionLanguage::kHttp) {
    return std::make_unique<MeteredPool>(
        std::make_unique<UserFunctionPool>(config_, media_, function), meter,
        MeteredOptions{costs.prices.call,
                       static_cast<std::size_t>(call_pace(config_, function).side_by_side)});
  }
  if (!services_) services_ = std::make_unique<ServicePools>(config_, media_, open_);
  return services_->make(function, meter);
}

FunctionPool& FunctionPools::pool_for(const UserFunction& function) {
  const std::lock_guard lock(mutex_);
  Entry& entry = pools_[function.signature.id];
  if (entry.pool == nullptr) entry = {function.version, make_pool(function)};
  return *entry.pool;
}

void FunctionPools::forget(const UserFunctions& current) {
  const std::lock_guard lock(mutex_);
  std::erase_if(pools_, [&](const auto& item) {
    const UserFunction* const function = current.find(item.first);
    return function == nullptr || function->version != item.second.version;
  });
}

FunctionFindings examine_function(const Config& config, const UserFunction& function) {
  const auto scratch = make_scratch(config.home(), function_worker_options(config).account);
  const ProcessPoolOptions options = pool_options(config, function, scratch->path());
  ChildOptions child = worker_child_options(options);
  std::replace(child.argv.begin(), child.argv.end(), std::string("--serve"),
               std::string("--check"));
  child.input = Pipe::kNull;
  const RunResult result = run_program(child, options.start_timeout);
  const auto found = nlohmann::json::parse(result.output, nullptr, false);
  if (result.timed_out || !found.is_object()) {
    const std::string words = last_line(result.errors);
    throw Error(
        ErrorCode::kUnavailable,
        fmt::format("the Python worker {}{}", result.timed_out ? "does not answer" : "cannot start",
                    words.empty() ? "" : ": " + words),
        words.find("No module named") == std::string::npos
            ? "run coppice doctor"
            : "it needs msgpack and numpy: apt install python3-msgpack python3-numpy, or pip "
              "install them where SET python points to");
  }
  if (found.contains("failure")) {
    throw Error(ErrorCode::kComputation, found["failure"].get<std::string>());
  }
  return {found.at("batched").get<bool>()};
}

}  // namespace coppice::engine
