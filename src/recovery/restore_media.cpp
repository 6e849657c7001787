#include "recovery/restore_media.h"

#include <fmt/core.h>

#include <chrono>

#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "engine/open_home.h"
#include "pg/row_stream.h"
#include "recovery/choose.h"
#include "recovery/load_media.h"
#include "recovery/media_columns.h"
#include "recovery/open_repository.h"
#include "repo/parallel.h"

namespace coppice::recovery {
namespace {

using engine::EngineContext;
using std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kNamesOfStep = 256;

class MediaRestorer {
 public:
  MediaRestorer(EngineContext& context, const MediaRestoreRequest& request, ResultSink& sink,
                MediaRestoreReport& report)
      : context_(context), request_(request), sink_(sink), report_(report) {}

  void find_lost() {
    const std::set<std::string> names = names_in_home();
    report_.objects = names.size();
    Progress progress{"checking media", 0, names.size()};
    for (auto next = names.begin(); next != names.end();) {
      std::vector<std::string> step;
      for (; next != names.end() && step.size() < kNamesOfStep; ++next) step.push_back(*next);
      std::vector<State> states(step.size());
      repo::for_each_parallel(
          step.size(), {}, [](std::size_t) { return kReadBytes; },
          [&](std::size_t i) { states[i] = state_of(step[i]); });
      for (std::size_t i = 0; i < step.size(); ++i) {
        if (states[i] == State::kMissing) missing_.insert(step[i]);
        if (states[i] == State::kDamaged) damaged_.insert(step[i]);
      }
      progress.done += step.size();
      sink_.progress(progress);
      context_.check_stop();
    }
    report_.missing = missing_.size();
    report_.damaged = damaged_.size();
  }

  bool anything_lost() const { return !missing_.empty() || !damaged_.empty(); }

  // Takes what this backup has of it.
  void restore_from(const repo::Repository& repository, const KnownBackup& backup) {
    const Tree home = Tree::read(repository, backup.manifest.tree);
    BackupMedia media(repository, home);
    take(repository, media, missing_, false);
    take(repository, media, damaged_, true);
  }

  void tell_lacking() {
    for (const std::set<std::string>* names : {&missing_, &damaged_}) {
      for (const std::string& name : *names) report_.lacking.push_back("media:" + name);
    }
  }

 private:
  enum class State { kWhole, kMissing, kDamaged };

  std::set<std::string> names_in_home() {
    std::set<std::string> names;
    const auto add = [&](const std::string& query) {
      pg::RowStream values(context_.main, query);
      while (values.next()) {
        for_each_media_name(*values.row()[0], [&](std::string_view name) { names.emplace(name); });
      }
    };
    for (const auto& [store, columns] : media_columns_of(context_.main)) {
      for (const std::string& column : columns) {
        add(fmt::format("SELECT DISTINCT {0}::text FROM coppice_store.{1} WHERE {0} IS NOT NULL",
                        column, store));
      }
    }
    add("SELECT DISTINCT media::text FROM coppice.results WHERE media IS NOT NULL");
    return names;
  }

  State state_of(const std::string& text) const {
    const std::optional<MediaName> name = MediaName::parse("media:" + text);
    COPPICE_ASSERT(name.has_value());  // for_each_media_name() found it
    if (!context_.media.contains(*name)) return State::kMissing;
    try {
      FileReader file(context_.media.path_of(*name));
      Sha256 digest;
      std::string block(kReadBytes, '\0');
      while (const std::size_t count = file.read(block.data(), block.size())) {
        digest.update(std::string_view(block).substr(0, count));
      }
      return to_hex(digest.finish()) == name->sha256_hex ? State::kWhole : State::kDamaged;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kNotFound) return State::kMissing;
      if (error.code() == ErrorCode::kIo) return State::kDamaged;  // the disk cannot read it
      throw;
    }
  }

  void take(const repo::Repository& repository, BackupMedia& media, std::set<std::string>& lost,
            bool replace) {
    std::set<std::string> here;
    for (const std::string& name : lost) {
      if (media.find(name) != nullptr) here.insert(name);
    }
    LoadRequest request;
    request.replace = replace;
    request.dry_run = request_.dry_run;
    const LoadedMedia loaded = load_media(repository, media, context_.media, here, request, sink_,
                                          [&] { context_.check_stop(); });
    report_.restored += loaded.added;
    report_.bytes += loaded.bytes;
    for (const std::string& failure : loaded.lacking) {
      sink_.notice(failure);
      for_each_media_name(failure.substr(0, failure.find(": ")),
                          [&](std::string_view name) { here.erase(std::string(name)); });
    }
    for (const std::string& name : here) lost.erase(name);
  }

  EngineContext& context_;
  const MediaRestoreRequest& request_;
  ResultSink& sink_;
  MediaRestoreReport& report_;
  std::set<std::string> missing_, damaged_;
};

}  // namespace

MediaRestoreReport restore_media(const Config& config, const MediaRestoreRequest& request,
                                 ResultSink& sink) {
  const auto begun = steady_clock::now();
  const OpenRepository open = open_repository(request.repository, sink);
  const std::vector<KnownBackup> backups = known_backups(*open.repository, sink);
  const KnownBackup& chosen = chosen_backup(backups, request.backup, request.at);
  const std::unique_ptr<EngineContext> context = engine::open_home(config);
  MediaRestoreReport report;
  report.backup = chosen.id.hex();
  MediaRestorer restorer(*context, request, sink, report);
  restorer.find_lost();
  if (restorer.anything_lost()) restorer.restore_from(*open.repository, chosen);
  // An object is what its name says, whichever backup has it.
  for (auto backup = backups.rbegin(); backup != backups.rend(); ++backup) {
    if (!restorer.anything_lost()) break;
    if (backup->manifest.kind != kHomeBackup) continue;
    if (&*backup != &chosen) restorer.restore_from(*open.repository, *backup);
  }
  restorer.tell_lacking();
  report.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
  return report;
}

}  // namespace coppice::recovery
