#include "functions/movie_part.h"

#include <algorithm>
#include <cmath>

#include "functions/audio_cutter.h"

namespace coppice::functions {

PartWriter::PartWriter(const std::filesystem::path& file, const Limits& limits)
    : frames_(file, limits, FrameReader::Wanted::kAllInOrder), sound_(file, limits) {}

// When the first frame is shown, on the clock of the file.
double PartWriter::clock_offset() const {
  return static_cast<double>(frames_.first_timestamp()) * av_q2d(frames_.time_base());
}

// The samples from the part's begin up to a time of the part.
void PartWriter::add_sound_until(MovieWriter& writer, const PartOptions& options, double seconds) {
  while (has_samples_) {
    const double rate = samples_->sample_rate;
    const double at = sound_.seconds() - clock_offset();
    if (at >= std::min(seconds, options.end)) return;
    const auto samples_until = [&](double time) {
      return std::clamp<std::int64_t>(std::llround((time - at) * rate), 0, samples_->nb_samples);
    };
    const std::int64_t from = samples_until(options.begin);
    const std::int64_t to = samples_until(options.end);
    if (from < to) {
      writer.add_samples(slice_of(samples_.get(), from, to - from).get(),
                         at + static_cast<double>(from) / rate - options.begin);
    }
    has_samples_ = sound_.next(samples_.get());
  }
}

bool PartWriter::write(const PartOptions& options, const std::filesystem::path& target) {
  const AVRational base = frames_.time_base();
  // A frame's time is rounded to a tick: half of one forgives decimal fractions.
  const auto tick = [&](double seconds) {
    return frames_.first_timestamp() +
           static_cast<std::int64_t>(std::ceil(std::min(seconds / av_q2d(base), 4e18) - 1e-3));
  };
  const std::int64_t begin = tick(options.begin);
  const std::int64_t end = tick(options.end);
  const FramePtr frame = make_frame();
  if (!frames_.find(begin, frame.get()) || frame->best_effort_timestamp >= end) return false;
  const bool sound = options.with_sound && sound_.has_stream();
  MovieFormat format;
  format.size = options.size.value_or(ImageSize{frame->width, frame->height});
  format.time_base = base;
  format.frame_rate = frames_.stream()->avg_frame_rate;
  format.pixel_aspect = frames_.stream()->sample_aspect_ratio;
  const AVPixFmtDescriptor* pixels = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame->format));
  if (pixels != nullptr && (pixels->flags & AV_PIX_FMT_FLAG_RGB) == 0) {
    format.color_space = frame->colorspace;
    format.color_range = frame->color_range;
  }
  format.turned_like = frames_.stream();
  format.grey = options.grey;
  if (sound) format.sound = sound_.stream()->codecpar;
  MovieWriter writer(format, target);
  if (sound) sound_.seek(options.begin + clock_offset());
  has_samples_ = sound && sound_.next(samples_.get());
  do {
    const std::int64_t at = frame->best_effort_timestamp;
    if (at >= end) break;
    add_sound_until(writer, options, frames_.seconds_at(at));
    end_seconds_ = std::min(options.end, frames_.seconds_at(at + frames_.frame_ticks(frame.get())));
    if (options.change) {
      writer.add_frame(options.change(frame.get()).get(), at - begin);
    } else {
      writer.add_frame(frame.get(), at - begin);
    }
  } while (frames_.next(frame.get()));
  add_sound_until(writer, options, options.end);
  writer.finish();
  return true;
}

}  // namespace coppice::functions
