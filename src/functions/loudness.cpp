#include "functions/loudness.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"

namespace coppice::functions {
namespace {

constexpr int kStepsABlock = 4;
constexpr double kAbsoluteGate = -70;
constexpr double kRelativeGate = -10;

double to_lufs(double mean_square) { return -0.691 + 10 * std::log10(mean_square); }

// The mean over blocks louder than `gate`; 0 when there are none.
double gated_mean(const std::vector<double>& blocks, double gate) {
  double sum = 0;
  std::size_t count = 0;
  for (const double block : blocks) {
    if (block > 0 && to_lufs(block) > gate) {
      sum += block;
      ++count;
    }
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

}  // namespace

LoudnessMeter::LoudnessMeter(int sample_rate, std::vector<double> weights)
    : weights_(std::move(weights)), channels_(weights_.size()), frames_a_step_(sample_rate / 10) {
  COPPICE_ASSERT(sample_rate >= 10 && !weights_.empty());
  {
    // High shelf of 4 dB at 1682 Hz: the effect of the head.
    constexpr double kFrequency = 1681.974450955533;
    constexpr double kGain = 3.999843853973347;
    constexpr double kQ = 0.7071752369554196;
    const double k = std::tan(std::numbers::pi * kFrequency / sample_rate);
    const double vh = std::pow(10.0, kGain / 20);
    const double vb = std::pow(vh, 0.4996667741545416);
    const double a0 = 1 + k / kQ + k * k;
    shelf_ = {(vh + vb * k / kQ + k * k) / a0, 2 * (k * k - vh) / a0,
              (vh - vb * k / kQ + k * k) / a0, 2 * (k * k - 1) / a0, (1 - k / kQ + k * k) / a0};
  }
  {
    // High pass at 38 Hz: the ear's insensitivity to low frequencies.
    constexpr double kFrequency = 38.13547087602444;
    constexpr double kQ = 0.5003270373238773;
    const double k = std::tan(std::numbers::pi * kFrequency / sample_rate);
    const double a0 = 1 + k / kQ + k * k;
    high_pass_ = {1, -2, 1, 2 * (k * k - 1) / a0, (1 - k / kQ + k * k) / a0};
  }
}

// Transposed direct form II.
double LoudnessMeter::run(const Biquad& filter, std::array<double, 2>& state, double sample) {
  const double result = filter.b0 * sample + state[0];
  state[0] = filter.b1 * sample - filter.a1 * result + state[1];
  state[1] = filter.b2 * sample - filter.a2 * result;
  return result;
}

void LoudnessMeter::add(std::span<const double> samples) {
  const std::size_t channel_count = weights_.size();
  COPPICE_ASSERT(samples.size() % channel_count == 0);
  for (std::size_t i = 0; i < samples.size(); i += channel_count) {
    for (std::size_t c = 0; c < channel_count; ++c) {
      if (weights_[c] == 0) continue;
      const double sample = std::isfinite(samples[i + c]) ? samples[i + c] : 0;
      const double shelved = run(shelf_, channels_[c].shelf, sample);
      const double filtered = run(high_pass_, channels_[c].high_pass, shelved);
      step_sum_ += weights_[c] * filtered * filtered;
    }
    if (++frames_in_step_ == frames_a_step_) {
      steps_.push_back(step_sum_ / static_cast<double>(frames_a_step_));
      step_sum_ = 0;
      frames_in_step_ = 0;
    }
  }
}

std::optional<double> LoudnessMeter::integrated() const {
  std::vector<double> blocks;
  for (std::size_t i = kStepsABlock; i <= steps_.size(); ++i) {
    const auto end = steps_.begin() + static_cast<std::ptrdiff_t>(i);
    blocks.push_back(std::accumulate(end - kStepsABlock, end, 0.0) / kStepsABlock);
  }
  const double ungated = gated_mean(blocks, kAbsoluteGate);
  if (ungated == 0) return std::nullopt;
  const double gate = std::max(kAbsoluteGate, to_lufs(ungated) + kRelativeGate);
  return to_lufs(gated_mean(blocks, gate));
}

}  // namespace coppice::functions
