// Made videos against ffmpeg's filters.
#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <memory>

#include "base/text.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

std::string probe(const std::string& entries, const std::filesystem::path& file,
                  const std::string& more = "-select_streams v:0") {
  return shell("ffprobe -v error " + more + " -show_entries " + entries +
               " -of default=nw=1:nk=1 " + file.string() + " | head -1");
}

// The mean square of what differs, all frames together.
double difference(const std::filesystem::path& ours, const std::filesystem::path& theirs,
                  const std::string& filter) {
  const std::string one = shell_bytes("ffmpeg -v error -i " + ours.string() +
                                      " -vsync 0 -pix_fmt yuv420p -f rawvideo -");
  const std::string other = shell_bytes("ffmpeg -v error -i " + theirs.string() + " " + filter +
                                        " -vsync 0 -pix_fmt yuv420p -f rawvideo -");
  EXPECT_EQ(one.size(), other.size()) << filter;
  if (one.size() != other.size() || one.empty()) return 1e9;
  double sum = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    const double step = static_cast<double>(static_cast<unsigned char>(one[i])) -
                        static_cast<unsigned char>(other[i]);
    sum += step * step;
  }
  return sum / static_cast<double>(one.size());
}

class VideoEdits : public MediaTest {
 protected:
  VideoEdits() {
    file_ = make("a.mp4",
                 "ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=25:duration=4 -f lavfi -i "
                 "sine=frequency=440:duration=4 -c:v libx264 -g 30 -bf 2 -c:a aac -pix_fmt "
                 "yuv420p OUT");
    video_ = put(file_, ValueType::kVideo);
    turned_ = make("turned.mp4",
                   "ffmpeg -v error -i " + file_.string() + " -c copy -metadata:s:v rotate=90 OUT");
  }
  std::filesystem::path file_;
  std::filesystem::path turned_;
  Value video_;
};

TEST_F(VideoEdits, ClipsAreThoseOfFfmpegsTrim) {
  const auto clipped = path_of(value("clip(video,float8,float8,text)",
                                     {video_, number(1.1), number(2.5), text("accurate")}));
  EXPECT_LT(difference(clipped, file_, "-vf trim=start=1.1:end=2.5"), 12);
  EXPECT_NEAR(std::stod(probe("stream=duration", clipped, "-select_streams a:0")), 1.4, 0.06);
  // The tone goes on: what is cut out is as loud as what was there.
  EXPECT_NEAR(
      value("loudness(audio)",
            {value("extract_audio(video,text)", {put(clipped, ValueType::kVideo), text("wav")})})
          .number,
      value("loudness(audio)", {value("extract_audio(video,text)", {video_, text("wav")})}).number,
      0.5);
  const Value fast =
      value("clip(video,float8,float8,text)", {video_, number(1), number(3), text("fast")});
  EXPECT_NEAR(value("duration(video)", {fast}).number, 2.4, 0.1);  // key frames at 1.2 and 3.6
  for (const std::string mode : {"fast", "accurate"}) {
    EXPECT_TRUE(
        value("clip(video,float8,float8,text)", {video_, number(90), number(95), text(mode)})
            .is_null());
  }
}

TEST_F(VideoEdits, ResizeCropAndGreyAreThoseOfFfmpeg) {
  const auto small =
      path_of(value("resize(video,bigint,bigint)", {video_, integer(81), integer(0)}));
  EXPECT_LT(difference(small, file_, "-vf scale=80:60:flags=bicubic+accurate_rnd"), 12);
  EXPECT_EQ(probe("stream=codec_name", small, "-select_streams a:0"), "aac");
  const auto cut = path_of(value("crop(video,bigint,bigint,bigint,bigint)",
                                 {video_, integer(40), integer(20), integer(64), integer(50)}));
  EXPECT_LT(difference(cut, file_, "-vf crop=64:50:40:20"), 12);
  const auto grey = path_of(value("grayscale(video)", {video_}));
  EXPECT_LT(difference(grey, file_, "-vf lutyuv=u=128:v=128"), 8);
}

TEST_F(VideoEdits, TurnedVideosAreCutAsShown) {
  const Value turned = put(turned_, ValueType::kVideo);
  ASSERT_EQ(value("width(video)", {turned}).integer, 120);
  const Value cut = value("crop(video,bigint,bigint,bigint,bigint)",
                          {turned, integer(20), integer(40), integer(50), integer(64)});
  EXPECT_EQ(value("width(video)", {cut}).integer, 50);
  EXPECT_EQ(value("height(video)", {cut}).integer, 64);
  const Image ours = read_pixels(path_of(value("frame_at(video,float8)", {cut, number(0)})));
  const auto theirs = make("theirs.png", "ffmpeg -v error -i " + turned_.string() +
                                             " -vf crop=50:64:20:40 -frames:v 1 OUT");
  EXPECT_GT(psnr(ours, read_pixels(theirs)), 28);
  EXPECT_EQ(value("width(video)",
                  {value("resize(video,bigint,bigint)", {turned, integer(60), integer(0)})})
                .integer,
            60);
}

TEST_F(VideoEdits, MuteCopiesThePictures) {
  const Value silent = value("mute(video)", {video_});
  EXPECT_EQ(difference(path_of(silent), file_, ""), 0);
  EXPECT_TRUE(value("has_audio(video)", {video_}).boolean);
  EXPECT_FALSE(value("has_audio(video)", {silent}).boolean);
  EXPECT_EQ(value("codec(video)", {video_}).text, probe("stream=codec_name", file_));
  EXPECT_EQ(std::to_string(value("keyframe_count(video)", {video_}).integer),
            shell("ffprobe -v error -select_streams v:0 -show_entries packet=flags -of csv=p=0 " +
                  file_.string() + " | grep -c K"));
}

TEST_F(VideoEdits, LastFrameAndContactSheet) {
  const Image last = read_pixels(path_of(value("last_frame(video)", {video_})));
  const auto theirs = make(
      "last.png", "ffmpeg -v error -i " + file_.string() + " -vf 'select=eq(n\\,99)' -vsync 0 OUT");
  EXPECT_GT(psnr(last, read_pixels(theirs)), 28);
  const Image sheet = read_pixels(path_of(value("contact_sheet(video,bigint,bigint,bigint)",
                                                {video_, integer(2), integer(2), integer(160)})));
  const auto tiled =
      make("sheet.png", "ffmpeg -v error -i " + file_.string() +
                            " -vf 'select=not(mod(n\\,25)),tile=2x2' -frames:v 1 -vsync 0 OUT");
  EXPECT_GT(psnr(sheet, read_pixels(tiled)), 26);
}

TEST_F(VideoEdits, ArgumentsThatDoNotFitAreRefused) {
  for (const CellFailure& failed :
       {failure("clip(video,float8,float8,text)", {video_, number(2), number(1), text("fast")}),
        failure("clip(video,float8,float8,text)", {video_, number(NAN), number(1), text("fast")}),
        failure("clip(video,float8,float8,text)", {video_, number(0), number(1), text("best")}),
        failure("resize(video,bigint,bigint)", {video_, integer(0), integer(0)}),
        failure("crop(video,bigint,bigint,bigint,bigint)",
                {video_, integer(100), integer(0), integer(100), integer(10)}),
        failure("contact_sheet(video,bigint,bigint,bigint)",
                {video_, integer(0), integer(1), integer(100)})}) {
    EXPECT_EQ(failed.type, "range") << failed.message;
  }
}

}  // namespace
}  // namespace coppice::functions
