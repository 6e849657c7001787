#include "functions/evaluator.h"

#include <fmt/core.h>

#include <new>
#include <optional>

#include "base/error.h"
#include "functions/call.h"
#include "functions/failure.h"
#include "functions/ffmpeg.h"
#include "functions/frame_source.h"
#include "functions/plan.h"
#include "functions/vips_codec.h"

namespace coppice::functions {
namespace {

using Outcome = std::variant<Operand, CellFailure>;

// Runs `work`, turning whatever it throws into a failure; `prefix` says where.
template <typename Work>
auto guarded(const std::string& prefix, Work work) -> std::variant<decltype(work()), CellFailure> {
  try {
    return work();
  } catch (const FunctionFailure& failure) {
    CellFailure cell = failure.cell();
    cell.message = prefix + cell.message;
    return cell;
  } catch (const Error& error) {
    const std::string hint = error.hint().empty() ? "" : " (" + error.hint() + ")";
    return CellFailure{std::string(code_name(error.code())), prefix + error.message() + hint};
  } catch (const std::bad_alloc&) {
    return CellFailure{"memory", prefix + "there is not enough memory for this value"};
  } catch (const std::exception& error) {
    return CellFailure{"internal", prefix + error.what()};
  }
}

// "resize(image,bigint,bigint)" -> "resize".
// What failures of a function begin with; nothing for probe and store, which no user calls.
std::string prefix_of(const std::string& id) {
  const std::string name = id.substr(0, id.find('('));
  return name == "probe" || name == "store" ? "" : name + ": ";
}

class Row {
 public:
  Row(const Plan& plan, const std::vector<Value>& arguments, MediaStore& store, FrameSource& frames,
      const Limits& limits)
      : plan_(plan), arguments_(arguments), store_(store), frames_(frames), limits_(limits) {}

  std::vector<Cell> evaluate() {
    outcomes_.resize(plan_.steps.size());
    std::vector<int> uses_left;
    for (const Step& step : plan_.steps) uses_left.push_back(step.uses);
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      outcomes_[i] = run(plan_.steps[i]);
      for (const int child : plan_.steps[i].children) {
        if (--uses_left[child] == 0) outcomes_[child].reset();
      }
    }
    std::vector<Cell> cells;
    for (const int step : plan_.results) cells.push_back(to_cell(plan_.steps[step], step));
    return cells;
  }

 private:
  Outcome run(const Step& step) {
    if (step.argument >= 0) return argument(step.argument);
    std::vector<Operand> operands;
    bool has_null = false;
    for (const int child : step.children) {
      if (const auto* failure = std::get_if<CellFailure>(&*outcomes_[child])) return *failure;
      operands.push_back(std::get<Operand>(*outcomes_[child]));
      const auto* value = std::get_if<Value>(&operands.back());
      has_null = has_null || (value != nullptr && value->is_null());
    }
    if (has_null) return Operand(Value{});
    const auto found = implementations().find(step.function);
    if (found == implementations().end()) {
      return CellFailure{"unsupported",
                         fmt::format("this worker has no function {}", step.function)};
    }
    return guarded(prefix_of(step.function), [&] {
      const Call call{operands, store_, limits_};
      return found->second(call);
    });
  }

  Outcome argument(int index) {
    if (static_cast<std::size_t>(index) >= arguments_.size()) {
      return CellFailure{"internal", fmt::format("there is no argument {}", index)};
    }
    const Value& value = arguments_[index];
    if (!is_media(value.type)) return Operand(value);
    return guarded("", [&]() -> Operand {
      if (const auto frame = FrameName::parse(value.text)) {
        return std::make_shared<Media>(Picture(frames_.read(*frame), limits_));
      }
      return std::make_shared<Media>(value, store_, limits_);
    });
  }

  Cell to_cell(const Step& step, int index) {
    const Outcome& outcome = *outcomes_[index];
    if (const auto* failure = std::get_if<CellFailure>(&outcome)) return *failure;
    const Operand& operand = std::get<Operand>(outcome);
    if (const auto* value = std::get_if<Value>(&operand)) return *value;
    const auto stored = guarded(step.argument >= 0 ? "" : prefix_of(step.function),
                                [&] { return std::get<MediaPtr>(operand)->stored(store_); });
    if (const auto* failure = std::get_if<CellFailure>(&stored)) return *failure;
    return std::get<Value>(stored);
  }

  const Plan& plan_;
  const std::vector<Value>& arguments_;
  MediaStore& store_;
  FrameSource& frames_;
  const Limits& limits_;
  std::vector<std::optional<Outcome>> outcomes_;
};

}  // namespace

struct MediaEvaluator::State {
  Limits limits;
  std::optional<MediaStore> store;
  std::optional<FrameSource> frames;
  // The plan of the last fragments: a batch has the same for every row.
  std::vector<Fragment> fragments;
  Plan plan;
};

MediaEvaluator::MediaEvaluator() : state_(std::make_unique<State>()) {
  state_->limits = Limits::from_environment();
}

MediaEvaluator::~MediaEvaluator() = default;

void MediaEvaluator::open(const std::filesystem::path& media_folder) {
  start_vips();
  start_ffmpeg();
  // The engine makes a whole batch durable at once, before it keeps the names.
  state_->store.emplace(media_folder, std::nullopt, Durable::kWhenAsked);
  state_->frames.emplace(*state_->store, state_->limits);
}

std::vector<Cell> MediaEvaluator::evaluate_row(const std::vector<Fragment>& fragments,
                                               const std::vector<Value>& arguments) {
  COPPICE_ASSERT(state_->store.has_value());
  if (fragments != state_->fragments) {
    state_->plan = make_plan(fragments);
    state_->fragments = fragments;
  }
  return Row(state_->plan, arguments, *state_->store, *state_->frames, state_->limits).evaluate();
}

}  // namespace coppice::functions
