// video_segments against ffmpeg's segment muxer and its filter trim.
#include <fmt/core.h>
#include <malloc.h>

#include <cmath>
#include <memory>

#include "base/text.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

const std::string kSegments = "video_segments(video,float8,jsonb,float8,text)";

std::string probe(const std::string& entries, const std::filesystem::path& file,
                  const std::string& more = "-select_streams v:0") {
  return shell("ffprobe -v error -count_packets " + more + " -show_entries " + entries +
               " -of default=nw=1:nk=1 " + file.string() + " | head -1");
}

// What ffprobe counts when it reads the whole file.
struct Streams {
  std::string video_codec;
  std::string audio_codec;
  int frames = 0;  // of the picture
  int sound_packets = 0;
};

Streams streams_of(const std::filesystem::path& file) {
  const auto read = nlohmann::json::parse(
      shell("ffprobe -v error -count_frames -count_packets -show_entries "
            "stream=codec_type,codec_name,nb_read_frames,nb_read_packets -of json " +
            file.string()));
  Streams streams;
  for (const auto& stream : read["streams"]) {
    if (stream["codec_type"] == "video") {
      streams.video_codec = stream["codec_name"];
      streams.frames = std::stoi(stream.value("nb_read_frames", "0"));
    } else {
      streams.audio_codec = stream["codec_name"];
      streams.sound_packets = std::stoi(stream.value("nb_read_packets", "0"));
    }
  }
  return streams;
}

class VideoSegments : public MediaTest {
 protected:
  static void SetUpTestSuite() {
    clips_ = std::make_unique<ScratchFolder>(std::filesystem::temp_directory_path(), "clips");
    const std::string begin =
        "ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=25:duration=8 -f lavfi -i "
        "sine=frequency=440:duration=8 ";
    const std::string folder = " " + clips_->path().string() + "/";
    shell(begin + "-c:v libx264 -g 30 -bf 2 -c:a aac -pix_fmt yuv420p" + folder + "a.mp4");
    shell(begin + "-c:v libx264 -g 30 -bf 2 -c:a aac -pix_fmt yuv420p" + folder + "a.ts");
    shell(begin +
          "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -pix_fmt yuv420p -c:a libopus" +
          folder + "a.webm");
    shell(begin + "-c:v mpeg4 -g 30 -c:a libmp3lame" + folder + "a.avi");
  }
  static void TearDownTestSuite() { clips_.reset(); }
  static std::filesystem::path clip(const std::string& name) { return clips_->path() / name; }

  nlohmann::json segments(const Value& video, double duration, const std::string& at,
                          double overlap, const std::string& mode) {
    return json(kSegments, {video, number(duration), json_value(at), number(overlap), text(mode)});
  }

  static inline std::unique_ptr<ScratchFolder> clips_;
};

TEST_F(VideoSegments, FastCutsWhereFfmpegsSegmentMuxerCuts) {
  for (const std::string name : {"a.mp4", "a.ts", "a.webm", "a.avi"}) {
    const Value video = put(clip(name), ValueType::kVideo);
    const auto rows = segments(video, 2, "[]", 0, "fast");
    const std::string extension = name == "a.webm" ? "mkv" : name.substr(2);
    const auto theirs = scratch("theirs_" + extension);
    std::filesystem::create_directory(theirs);
    shell(
        fmt::format("ffmpeg -v error -i {} -c copy -map 0 -f segment -segment_time 2 "
                    "-reset_timestamps 1 {}/%d.{}",
                    clip(name).string(), theirs.string(), extension));
    ASSERT_EQ(rows.size(), std::distance(std::filesystem::directory_iterator(theirs), {}))
        << name << rows;
    const Streams whole = streams_of(clip(name));
    int frames = 0;
    int packets = 0;
    double end = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto file = object(rows[i]["segment"]);
      EXPECT_EQ(file.extension(), "." + extension);
      EXPECT_NEAR(rows[i]["start_seconds"].get<double>(), end, 1e-6) << name;
      end = rows[i]["end_seconds"];
      const Streams part = streams_of(file);
      const auto their_file = theirs / fmt::format("{}.{}", i, extension);
      EXPECT_EQ(part.frames, streams_of(their_file).frames) << name << " " << i;
      EXPECT_EQ(part.video_codec, whole.video_codec) << name;
      EXPECT_EQ(part.audio_codec, whole.audio_codec) << name;
      frames += part.frames;
      packets += part.sound_packets;
    }
    EXPECT_EQ(frames, 200) << name;
    EXPECT_NEAR(end, 8, 0.05) << name;
    // No packet of sound is lost or there twice.
    EXPECT_NEAR(packets, whole.sound_packets, name == "a.mp4" || name == "a.ts" ? 2 : 1) << name;
  }
}

TEST_F(VideoSegments, FastWithOverlapLeavesNoGap) {
  const Value video = put(clip("a.mp4"), ValueType::kVideo);
  const auto rows = segments(video, 3, "[]", 1.5, "fast");
  ASSERT_GE(rows.size(), 4U);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_LE(rows[i]["start_seconds"], rows[i - 1]["end_seconds"]);
  }
  EXPECT_EQ(segments(video, 3, "[]", 1.5, "fast"), rows);  // the same bytes again
}

TEST_F(VideoSegments, AccurateCutsToTheFrame) {
  for (const std::string name : {"a.mp4", "a.ts", "a.webm", "a.avi"}) {
    const Value video = put(clip(name), ValueType::kVideo);
    const auto rows = segments(video, 0, "[1.1, 2.04, 6.5]", 0, "accurate");
    ASSERT_EQ(rows.size(), 4U) << name;
    const std::vector<double> cuts = {0, 1.1, 2.04, 6.5, 100};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto file = object(rows[i]["segment"]);
      EXPECT_EQ(rows[i]["start_seconds"], cuts[i]);
      // ffmpeg rounds a cut to a tick of the container: it is told the frame behind the cut.
      const auto frame_behind = [](double cut) { return std::ceil(cut * 25) / 25 - 0.001; };
      const std::string trimmed = fmt::format("-vf setpts=PTS-STARTPTS,trim=start={}:end={}",
                                              frame_behind(cuts[i]), frame_behind(cuts[i + 1]));
      const std::string theirs =
          shell_bytes(fmt::format("ffmpeg -v error -i {} {} -vsync 0 -pix_fmt gray -f rawvideo -",
                                  clip(name).string(), trimmed));
      const std::string ours = shell_bytes(
          fmt::format("ffmpeg -v error -i {} -vsync 0 -pix_fmt gray -f rawvideo -", file.string()));
      ASSERT_EQ(ours.size(), theirs.size()) << name << " " << i;
      double sum = 0;
      for (std::size_t k = 0; k < ours.size(); ++k) {
        const double difference = static_cast<double>(static_cast<unsigned char>(ours[k])) -
                                  static_cast<unsigned char>(theirs[k]);
        sum += difference * difference;
      }
      EXPECT_LT(sum / static_cast<double>(ours.size()), 12) << name << " " << i;
      EXPECT_NEAR(std::stod(probe("stream=duration", file, "-select_streams a:0")),
                  std::min(8.0, cuts[i + 1]) - cuts[i], 0.06)
          << name << " " << i;
    }
    EXPECT_NEAR(rows.back()["end_seconds"].get<double>(), 8, 0.05);
    // The same bytes again, whatever was left in the memory that a codec gets.
    for (const int leftover : {0x55, 0xaa}) {
      ::mallopt(M_PERTURB, leftover);
      EXPECT_EQ(segments(video, 0, "[1.1, 2.04, 6.5]", 0, "accurate"), rows) << name;
    }
    ::mallopt(M_PERTURB, 0);
  }
}

TEST_F(VideoSegments, ASilentVideoOfOddSizeIsCutToo) {
  const auto file = make("odd.mkv",
                         "ffmpeg -v error -f lavfi -i testsrc=size=101x77:rate=10:duration=2 "
                         "-c:v ffv1 -g 1 -pix_fmt yuv444p OUT");
  const Value video = put(file, ValueType::kVideo);
  const auto rows = segments(video, 0.7, "[]", 0.2, "accurate");
  ASSERT_EQ(rows.size(), 4U);
  const auto second = object(rows[1]["segment"]);
  EXPECT_EQ(streams_of(second).frames, 7);
  EXPECT_EQ(probe("stream=width", second), "100");
  EXPECT_EQ(segments(video, 0.5, "[]", 0, "fast").size(), 4U);
}

TEST_F(VideoSegments, ArgumentsThatDoNotFitAreRefused) {
  const Value video = put(clip("a.mp4"), ValueType::kVideo);
  const auto refused = [&](double duration, const std::string& at, double overlap,
                           const std::string& mode) {
    return failure(kSegments,
                   {video, number(duration), json_value(at), number(overlap), text(mode)});
  };
  EXPECT_EQ(refused(0, "[]", 0, "fast").message,
            "video_segments: exactly one of duration and at must be given, not none");
  for (const CellFailure& failed :
       {refused(1, "[1]", 0, "fast"), refused(1, "[]", 0, "slow"), refused(-1, "[]", 0, "fast"),
        refused(1, "[]", 1, "fast"), refused(0, "[2, 1]", 0, "fast"), refused(0, "[0]", 0, "fast"),
        refused(NAN, "[]", 0, "fast"), refused(0, "\"x\"", 0, "accurate")}) {
    EXPECT_EQ(failed.type, "range") << failed.message;
  }
}

}  // namespace
}  // namespace coppice::functions
