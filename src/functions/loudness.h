// LoudnessMeter: integrated loudness after EBU R 128.
//
// Model    Samples pass the K filter (a high shelf and a high pass); their mean square over blocks
//          of 400 ms, one every 100 ms, is summed over channels, the surround channels 1.41-fold,
//          LFE not at all. Blocks below -70 LUFS are left out, then those 10 LU below the mean of
//          the rest. Mono is one channel, not a pair.
// Units    Samples -1 to 1, interleaved; LUFS.
// Source   ITU-R BS.1770-4, annex 1. The filters' coefficients for other rates than 48 kHz follow
//          from the analogue prototypes by the bilinear transform.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace coppice::functions {

class LoudnessMeter {
 public:
  // `weights` has one number a channel: 1, 1.41 or 0.
  LoudnessMeter(int sample_rate, std::vector<double> weights);

  // A whole number of frames, each of one sample a channel.
  void add(std::span<const double> samples);

  // nullopt for silence, and for less than one block.
  std::optional<double> integrated() const;

 private:
  struct Biquad {
    double b0, b1, b2, a1, a2;
  };
  struct ChannelState {
    std::array<double, 2> shelf{};
    std::array<double, 2> high_pass{};
  };
  static double run(const Biquad& filter, std::array<double, 2>& state, double sample);

  Biquad shelf_;
  Biquad high_pass_;
  std::vector<double> weights_;
  std::vector<ChannelState> channels_;
  std::int64_t frames_a_step_;
  std::int64_t frames_in_step_ = 0;
  double step_sum_ = 0;
  std::vector<double> steps_;  // weighted mean squares of each 100 ms
};

}  // namespace coppice::functions
