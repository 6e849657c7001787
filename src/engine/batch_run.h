// Batches of rows whose cells are computed and stored, one after another.
//
// Model    One batch is stored on the context's `main` while the next one is computed: whatever
//          uses main while it computes calls wait_for_storing() of the context first. A kill costs
//          what is being computed and what is being stored. When a budget pauses a batch, what was
//          done of it is stored first.
// Threads  store() runs on a thread of its own, all else on the caller's.
// Errors   Of the first step that fails, kPaused.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "base/work_behind.h"
#include "engine/compute.h"
#include "engine/context.h"

namespace coppice::engine {

// How many rows the next batch has: as many as take about kSeconds, within bounds; a multiple of
// what durable results are kept in.
class BatchSize {
 public:
  int rows() const { return rows_; }
  void took(std::size_t rows, std::chrono::duration<double> time) {
    const double fitting = kSeconds * static_cast<double>(rows) / std::max(time.count(), 1e-3);
    rows_ = static_cast<int>(std::clamp<double>(fitting, kLeast, kMost)) / kLeast * kLeast;
  }

 private:
  static constexpr double kSeconds = 2;
  static constexpr int kLeast = 512;
  static constexpr int kMost = 4096;
  int rows_ = kLeast;
};

// What is done with a batch; it has a member `computed`.
template <typename Batch>
struct BatchSteps {
  // nullopt: no rows are left. `waits`: the batch before it is not stored yet, and is when this
  // gives nullopt; it is asked again then.
  std::function<std::optional<Batch>(int rows, bool waits)> read;
  std::function<std::size_t(Batch&)> compute;  // gives the number of rows
  std::function<void(const Batch&)> store;
  std::function<void()> stored;
};

template <typename Batch>
void run_batches(EngineContext& context, const BatchSteps<Batch>& steps) {
  // Says what it is doing for as long as it lives.
  struct Storing {
    explicit Storing(EngineContext& of) : context(of) { context.storing = &work; }
    ~Storing() {
      work.wait();
      context.storing = nullptr;
    }
    EngineContext& context;
    WorkBehind work;
  };
  BatchSize size;
  std::optional<Batch> computed;  // not stored yet
  Storing storing(context);
  for (;;) {
    const bool waits = computed.has_value();
    std::optional<Batch> batch = steps.read(size.rows(), waits);
    if (!batch && !waits) return;
    if (waits) storing.work.start([&] { steps.store(*computed); });
    if (batch) {
      const auto begin = std::chrono::steady_clock::now();
      const std::size_t rows = steps.compute(*batch);
      size.took(rows, std::chrono::steady_clock::now() - begin);
    }
    if (waits) {
      storing.work.finish();
      steps.stored();
    }
    computed = std::move(batch);
    if (computed && computed->computed.paused) {
      steps.store(*computed);
      steps.stored();
      throw Error(*computed->computed.paused);
    }
  }
}

}  // namespace coppice::engine
