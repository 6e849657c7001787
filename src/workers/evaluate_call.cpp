#include "workers/evaluate_call.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "workers/row_order.h"

namespace coppice {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr double kChunkTargetUs = 50'000;
constexpr std::size_t kChunkRowLimit = 2048;
constexpr std::size_t kChunkSoftBytes = std::size_t{4} << 20;
// A further process is started only for a call that lasts longer than this.
constexpr double kWorthStartingUs = 20'000;
constexpr int kStartAttempts = 3;

void find_arguments(const Fragment& fragment, std::set<std::size_t>& found) {
  if (fragment.is_argument()) found.insert(static_cast<std::size_t>(fragment.argument));
  for (const Fragment& child : fragment.children) find_arguments(child, found);
}

double microseconds_since(steady_clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(steady_clock::now() - begin).count();
}

}  // namespace

EvaluateCall::EvaluateCall(WorkerSource& source, const std::vector<Fragment>& fragments,
                           const Batch& batch)
    : source_(source),
      fragments_(fragments),
      batch_(batch),
      packed_fragments_(pack_fragments(fragments)),
      begun_(steady_clock::now()) {
  for (const std::vector<Value>& column : batch.arguments) {
    COPPICE_ASSERT(column.size() == batch.row_count);
  }
  results_.assign(fragments.size(), std::vector<Cell>(batch.row_count));
  answer_null_rows();
  put_frames_in_order(batch_, rows_);
  open_rows_ = pending_rows_ = rows_.size();
  if (!rows_.empty()) pending_.push_back({0, rows_.size()});
}

EvaluateCall::~EvaluateCall() {
  for (Leased& worker : leased_) {
    if (!worker.process) continue;
    // One that is still starting may be about to fail as the others did.
    if (worker.busy() || (start_failures_ > 0 && !worker.process->ready())) {
      source_.discard(std::move(worker.process));
    } else {
      source_.give_back(std::move(worker.process));
    }
  }
}

// A call with a NULL argument is NULL, so a row whose fragments all have one needs no worker:
// results_ holds NULL from the start.
void EvaluateCall::answer_null_rows() {
  std::vector<std::set<std::size_t>> arguments(fragments_.size());
  for (std::size_t i = 0; i < fragments_.size(); ++i) {
    find_arguments(fragments_[i], arguments[i]);
    for (const std::size_t argument : arguments[i]) {
      COPPICE_ASSERT(argument < batch_.arguments.size());
    }
  }
  rows_.reserve(batch_.row_count);
  for (std::size_t row = 0; row < batch_.row_count; ++row) {
    const bool wanted = std::any_of(arguments.begin(), arguments.end(), [&](const auto& used) {
      return std::none_of(used.begin(), used.end(), [&](std::size_t argument) {
        return batch_.arguments[argument][row].is_null();
      });
    });
    if (wanted) rows_.push_back(row);
  }
}

BatchResult EvaluateCall::run(std::stop_token stop) {
  const FileDescriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) throw_errno("create an event descriptor");
  const std::stop_callback on_stop(stop, [&] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t ignored = ::write(wake.get(), &one, sizeof one);
  });
  while (open_rows_ > 0) {
    if (stop.stop_requested()) {
      throw Error(ErrorCode::kInterrupted, "interrupted");
    }
    release_idle();
    lease_workers(stop);
    for (Leased& worker : leased_) {
      while (can_take(worker) && pending_rows_ > 0) hand_out(worker);
    }
    release_idle();
    // A worker that was lost just now may have left rows for one that was asked before it.
    const bool waiting =
        pending_rows_ == 0 || std::none_of(leased_.begin(), leased_.end(), can_take);
    if (open_rows_ > 0 && !leased_.empty() && waiting) wait_for_workers(wake.get());
  }
  return std::move(results_);
}

void EvaluateCall::lease_workers(const std::stop_token& stop) {
  if (pending_rows_ > 0 && leased_.empty()) {
    leased_.emplace_back().process = source_.lease(stop);
  }
  while (pending_rows_ > leased_.size() &&
         leased_.size() < static_cast<std::size_t>(source_.worker_count())) {
    std::unique_ptr<WorkerProcess> process = source_.try_lease(worth_starting_another());
    if (!process) return;
    leased_.emplace_back().process = std::move(process);
  }
}

bool EvaluateCall::worth_starting_another() const {
  return static_cast<double>(pending_rows_) * row_us_ > kWorthStartingUs ||
         microseconds_since(begun_) > kWorthStartingUs;
}

// Chunks grow from one row to what takes about 50 ms, and shrink towards the end so that the
// workers finish together.
std::size_t EvaluateCall::chunk_rows(const Range& range) const {
  if (range.one_by_one) return 1;
  const std::size_t batch = source_.options().batch_rows;
  if (last_chunk_rows_ == 0) return std::min(range.size(), batch);
  const double wanted = kChunkTargetUs / std::max(row_us_, 1.0);
  std::size_t rows = std::min(static_cast<std::size_t>(wanted) + 1, kChunkRowLimit);
  rows = std::min(rows, last_chunk_rows_ * 16);
  const std::size_t share = 2 * std::max<std::size_t>(leased_.size(), 1);
  rows = std::min(rows, (pending_rows_ + share - 1) / share + 1);
  return std::min(range.size(), (rows + batch - 1) / batch * batch);
}

void EvaluateCall::hand_out(Leased& worker) {
  Range& range = pending_.front();
  const std::size_t wanted = chunk_rows(range);
  worker.id = source_.next_id();
  const std::size_t count =
      append_evaluate_frame(worker.process->outgoing(), worker.id, packed_fragments_, batch_,
                            std::span(rows_).subspan(range.begin, wanted), kChunkSoftBytes);
  if (count == 0) {
    answer(range.begin, {"limit", fmt::format("the arguments of this row are larger than {}",
                                              human_bytes(kFrameLimitBytes))});
  } else {
    worker.chunk = {range.begin, range.begin + count, range.one_by_one};
    worker.answered = 0;
    worker.accepted = false;
    worker.handed_out = worker.row_begun = steady_clock::now();
  }
  const std::size_t taken = std::max<std::size_t>(count, 1);
  pending_rows_ -= taken;
  range.begin += taken;
  if (range.size() == 0) pending_.pop_front();
  if (count > 0 && !worker.process->flush()) lose(worker, "crash", "stopped reading its input");
}

EvaluateCall::TimePoint EvaluateCall::deadline(const Leased& worker) const {
  if (!worker.process->ready()) return worker.process->started() + source_.options().start_timeout;
  return worker.row_begun + source_.options().row_timeout;
}

int EvaluateCall::poll_timeout_ms() const {
  TimePoint until = steady_clock::now() + std::chrono::hours(1);
  for (const Leased& worker : leased_) {
    if (worker.busy() || !worker.process->ready()) until = std::min(until, deadline(worker));
  }
  // While more workers could help, look again soon whether one may be had.
  if (pending_rows_ > leased_.size() &&
      leased_.size() < static_cast<std::size_t>(source_.worker_count())) {
    until = std::min(until, steady_clock::now() + milliseconds(20));
  }
  const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void EvaluateCall::wait_for_workers(int wake_fd) {
  std::vector<pollfd> polls{{wake_fd, POLLIN, 0}};
  for (const Leased& worker : leased_) {
    polls.push_back({worker.process->output_fd(), POLLIN, 0});
    polls.push_back({worker.process->errors_fd(), POLLIN, 0});
    polls.push_back({worker.process->has_outgoing() ? worker.process->input_fd() : -1, POLLOUT, 0});
  }
  if (::poll(polls.data(), polls.size(), poll_timeout_ms()) < 0) {
    if (errno == EINTR) return;
    throw_errno("wait for function workers");
  }
  std::size_t index = 1;
  for (auto worker = leased_.begin(); worker != leased_.end(); index += 3) {
    if (polls[index + 1].revents != 0) worker->process->drain_errors();
    tend(*worker, polls[index].revents != 0, polls[index + 2].revents != 0);
    worker = worker->process ? std::next(worker) : leased_.erase(worker);
  }
}

// Every path on which the worker is lost leaves its process empty.
void EvaluateCall::tend(Leased& worker, bool output_ready, bool input_ready) {
  const bool reads = !input_ready || worker.process->flush();
  if (output_ready) {
    const bool open = worker.process->receive();
    take_messages(worker);
    if (!worker.process) return;
    if (!open) return lose(worker, "crash", "");
  }
  if (!reads) return lose(worker, "crash", "stopped reading its input");
  const bool computing = worker.busy() || !worker.process->ready();
  if (computing && steady_clock::now() >= deadline(worker)) {
    const milliseconds limit =
        worker.process->ready() ? source_.options().row_timeout : source_.options().start_timeout;
    lose(worker, "timeout",
         fmt::format("gave no answer within {}",
                     human_seconds(std::chrono::duration<double>(limit).count())));
  }
}

void EvaluateCall::take_messages(Leased& worker) {
  try {
    while (std::optional<Message> message = worker.process->next_message()) {
      take(worker, std::move(*message));
      if (!worker.process) return;
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidInput) throw;
    lose(worker, "protocol", fmt::format("does not keep to the protocol: {}", error.message()));
  }
}

void EvaluateCall::take(Leased& worker, Message message) {
  const auto refuse = [](const char* what) { throw Error(ErrorCode::kInvalidInput, what); };
  if (const auto* hello = std::get_if<WorkerHello>(&message)) {
    if (worker.process->ready()) refuse("a second hello");
    if (hello->protocol != kWorkerProtocolVersion) refuse("a hello of another version");
    worker.process->set_ready();
    start_failures_ = 0;
  } else if (const auto* error = std::get_if<ErrorMessage>(&message)) {
    lose(worker, "crash", fmt::format("gave up: {}", error->message));
  } else if (const auto* accepted = std::get_if<AcceptedMessage>(&message)) {
    if (!worker.busy() || worker.accepted || accepted->id != worker.id) refuse("not asked for");
    worker.accepted = true;
    worker.row_begun = steady_clock::now();
  } else if (auto* result = std::get_if<ResultMessage>(&message)) {
    if (!worker.busy() || !worker.accepted || result->id != worker.id) refuse("not asked for");
    if (result->row != worker.answered) refuse("a result for another row");
    if (result->cells.size() != fragments_.size()) refuse("a wrong number of cells");
    take_result(worker, *result);
  } else {
    refuse("a message that was not asked for");
  }
}

void EvaluateCall::take_result(Leased& worker, ResultMessage& result) {
  const std::size_t row = rows_[worker.chunk.begin + worker.answered];
  for (std::size_t i = 0; i < fragments_.size(); ++i) {
    results_[i][row] = std::move(result.cells[i]);
  }
  --open_rows_;
  ++worker.answered;
  worker.row_begun = steady_clock::now();
  if (worker.answered == worker.chunk.size()) finish_chunk(worker);
}

void EvaluateCall::finish_chunk(Leased& worker) {
  const double row_us =
      microseconds_since(worker.handed_out) / static_cast<double>(worker.chunk.size());
  row_us_ = row_us_ == 0 ? row_us : 0.5 * (row_us_ + row_us);
  last_chunk_rows_ = worker.chunk.size();
  worker.chunk = {};
  worker.worked = true;
}

void EvaluateCall::lose(Leased& worker, const std::string& type, const std::string& what) {
  // When a worker is stopped, why is the story; when it ended by itself, how is.
  const std::string ended = worker.process->end();
  const std::string story = what.empty() ? ended : what;
  const std::string last_words = worker.process->last_words();
  const bool was_ready = worker.process->ready();
  source_.discard(std::move(worker.process));
  if (!was_ready) return fail_start(story, last_words);
  if (!worker.busy()) return;

  Range rest{worker.chunk.begin + worker.answered, worker.chunk.end, worker.chunk.one_by_one};
  worker.chunk = {};
  const bool counts = worker.accepted || ++unaccepted_losses_ >= kStartAttempts;
  if (counts && source_.options().answers_late && !rest.one_by_one && rest.size() > 1) {
    rest.one_by_one = true;
    return put_back(rest);
  }
  if (counts) {
    unaccepted_losses_ = 0;
    std::string message = fmt::format("the function worker {} while it evaluated this row", story);
    if (!last_words.empty()) message += fmt::format("; its last words: {}", last_words);
    answer(rest.begin, {type, message});
    ++rest.begin;
    // The row that broke the last worker is found: the others need not be alone any more.
    for (Range& range : pending_) range.one_by_one = false;
    rest.one_by_one = false;
  }
  if (rest.size() > 0) put_back(rest);
}

void EvaluateCall::put_back(const Range& rows) {
  pending_.push_front(rows);
  pending_rows_ += rows.size();
}

void EvaluateCall::fail_start(const std::string& what, const std::string& last_words) {
  if (++start_failures_ < kStartAttempts) return;
  throw Error(ErrorCode::kUnavailable,
              fmt::format("the function worker {} cannot start: {} times in a row it {}{}",
                          source_.options().argv[0], start_failures_, what,
                          last_words.empty() ? "" : "; its last words: " + last_words),
              "run the program by hand, or reinstall Coppice");
}

void EvaluateCall::answer(std::size_t row_index, const CellFailure& failure) {
  for (std::vector<Cell>& column : results_) column[rows_[row_index]] = failure;
  --open_rows_;
}

// Gives back what this call does not need; and when other calls wait, every worker that has done a
// chunk for this one (not sooner, or two calls would pass a starting worker to and fro for ever).
void EvaluateCall::release_idle() {
  for (auto worker = leased_.begin(); worker != leased_.end();) {
    const bool lost = worker->process == nullptr;
    const bool others_turn = !lost && worker->worked && source_.others_wait();
    const bool unneeded = !lost && !worker->busy() && (pending_rows_ == 0 || others_turn);
    if (unneeded) source_.give_back(std::move(worker->process));
    worker = lost || unneeded ? leased_.erase(worker) : std::next(worker);
  }
}

}  // namespace coppice
