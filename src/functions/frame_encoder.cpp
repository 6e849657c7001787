#include "functions/frame_encoder.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#include "functions/frame_image.h"

namespace coppice::functions {

struct FrameEncoder::State {
  State(MediaStore& the_store, const Limits& the_limits, int turns,
        std::optional<MediaName> the_video)
      : store(the_store), limits(the_limits), quarter_turns(turns), video(std::move(the_video)) {}

  struct Job {
    std::size_t number;
    FramePtr frame;
  };

  void work();
  void throw_failure() {
    if (failure) std::rethrow_exception(failure);
  }

  MediaStore& store;
  const Limits& limits;
  const int quarter_turns;
  const std::optional<MediaName> video;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> waiting;
  std::vector<std::string> names;
  std::exception_ptr failure;
  bool ending = false;
  std::vector<std::jthread> threads;
};

void FrameEncoder::State::work() {
  FrameConverter converter(limits);
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return ending || !waiting.empty(); });
    if (waiting.empty()) return;
    Job job = std::move(waiting.front());
    waiting.pop_front();
    const bool needed = !failure;
    lock.unlock();
    changed.notify_all();
    std::string name;
    std::exception_ptr problem;
    try {
      if (needed) {
        name =
            store.put_bytes(converter.to_jpeg(job.frame.get(), quarter_turns, kFrameQuality), "jpg")
                .text();
      }
    } catch (...) {
      problem = std::current_exception();
    }
    job.frame.reset();
    lock.lock();
    names[job.number] = std::move(name);
    if (problem && !failure) failure = problem;
  }
}

FrameEncoder::FrameEncoder(MediaStore& store, const Limits& limits, int quarter_turns,
                           std::optional<MediaName> video)
    : state_(std::make_unique<State>(store, limits, quarter_turns, std::move(video))) {
  for (int i = 0; i < limits.threads && !state_->video; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
  }
}

FrameEncoder::~FrameEncoder() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
    state_->waiting.clear();
  }
  state_->changed.notify_all();
}

std::size_t FrameEncoder::add(const AVFrame* frame) {
  if (state_->video) {
    state_->names.push_back(FrameName{*state_->video, frame->best_effort_timestamp}.text());
    return state_->names.size() - 1;
  }
  FramePtr copy(av_frame_clone(frame));
  if (!copy) throw std::bad_alloc();
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(
      lock, [&] { return state_->waiting.size() < state_->threads.size() || state_->failure; });
  state_->throw_failure();
  const std::size_t number = state_->names.size();
  state_->names.emplace_back();
  state_->waiting.push_back({number, std::move(copy)});
  lock.unlock();
  state_->changed.notify_all();
  return number;
}

std::vector<std::string> FrameEncoder::finish() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  state_->threads.clear();  // joins: what waits is done first
  state_->throw_failure();
  return std::move(state_->names);
}

}  // namespace coppice::functions
