#include "functions/video.h"

#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <sstream>

#include "base/text.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

std::string probe(const std::string& entries, const std::filesystem::path& file,
                  const std::string& more = "-select_streams v:0") {
  return shell("ffprobe -v error " + more + " -show_entries " + entries +
               " -of default=nw=1:nk=1 " + file.string() + " | head -1");
}

double ratio(const std::string& text) {
  const std::size_t slash = text.find('/');
  return std::stod(text.substr(0, slash)) / std::stod(text.substr(slash + 1));
}

class VideoFunctions : public MediaTest {
 protected:
  // Containers and codecs of all kinds: B-frames, no index, open GOPs, odd frame rates. Made once.
  static void SetUpTestSuite() {
    clips_ = std::make_unique<ScratchFolder>(std::filesystem::temp_directory_path(), "clips");
    const std::string begin = "ffmpeg -v error -i " + opencv_sample("vtest.avi").string() +
                              " -t 3 -vf scale=256:-2 -c:v ";
    const std::string folder = " " + clips_->path().string() + "/";
    shell(begin + "libx264 -preset fast -bf 3 -g 24" + folder + "h264.mp4");
    shell(begin + "libx265 -x265-params log-level=none -g 12" + folder + "h265.mkv");
    shell(begin + "libvpx-vp9 -deadline realtime -cpu-used 8" + folder + "vp9.webm");
    shell(begin + "mpeg2video -r 25 -bf 2 -q 3" + folder + "mpeg2.mpg");
    shell(begin + "libx264 -preset fast -r 30000/1001 -g 24" + folder + "h264.ts");
  }
  static void TearDownTestSuite() { clips_.reset(); }

  static std::vector<std::filesystem::path> samples() {
    std::vector<std::filesystem::path> files = {
        opencv_sample("vtest.avi"), opencv_sample("tree.avi"), opencv_sample("Megamind.avi")};
    for (const std::string name : {"h264.mp4", "h265.mkv", "vp9.webm", "mpeg2.mpg", "h264.ts"}) {
      files.push_back(clips_->path() / name);
    }
    return files;
  }

  Image frame(const Value& clip, double seconds) {
    const Fragment shown = call_of("frame_at(video,float8)", {argument(0), argument(1)});
    const auto cells = evaluator_.evaluate_row(
        {call_of("encode(image,text,bigint)", {shown, argument(2), argument(3)})},
        {clip, number(seconds), text("png"), integer(85)});
    return read_pixels(path_of(cells[0]));
  }

  static inline std::unique_ptr<ScratchFolder> clips_;
};

TEST_F(VideoFunctions, FactsAreThoseOfFfprobe) {
  for (const auto& file : samples()) {
    const Value clip = put(file, ValueType::kVideo);
    const nlohmann::json theirs = nlohmann::json::parse(
        shell("ffprobe -v error -select_streams v:0 -count_packets -show_entries "
              "stream=width,height,avg_frame_rate,nb_read_packets:format=duration -of json " +
              file.string()));
    const nlohmann::json& stream = theirs["streams"][0];
    EXPECT_TRUE(value("mime_type(video)", {clip}).text.starts_with("video/")) << file;
    EXPECT_EQ(value("width(video)", {clip}).integer, stream["width"].get<int>()) << file;
    EXPECT_EQ(value("height(video)", {clip}).integer, stream["height"].get<int>()) << file;
    EXPECT_NEAR(value("duration(video)", {clip}).number,
                std::stod(theirs["format"]["duration"].get<std::string>()), 1e-3)
        << file;
    EXPECT_NEAR(value("fps(video)", {clip}).number, ratio(stream["avg_frame_rate"]), 1e-6) << file;
    EXPECT_EQ(value("frame_count(video)", {clip}).integer,
              std::stoi(stream["nb_read_packets"].get<std::string>()))
        << file;
  }
}

// The times of all frames by ffprobe, from the start of the stream.
std::vector<double> frame_times(const std::filesystem::path& file) {
  const double start = std::stod(probe("stream=start_time", file));
  const double frame_seconds = 1 / ratio(probe("stream=avg_frame_rate", file));
  std::istringstream lines(
      shell("ffprobe -v error -select_streams v:0 -show_entries frame=best_effort_timestamp_time "
            "-of default=nw=1:nk=1 " +
            file.string()));
  std::vector<double> times;
  for (std::string line; std::getline(lines, line);) {
    // A frame without a time follows the one before it.
    times.push_back(line == "N/A" && !times.empty() ? times.back() + frame_seconds
                                                    : std::stod(line) - start);
  }
  return times;
}

TEST_F(VideoFunctions, FrameAtShowsTheFrameThatAPlayerShows) {
  for (const auto& file : samples()) {
    const Value clip = put(file, ValueType::kVideo);
    const std::vector<double> times = frame_times(file);
    ASSERT_GT(times.size(), 10U) << file;
    std::vector<double> asked;
    std::string selection;
    for (const double part : {0.0, 0.13, 0.5, 0.95}) {
      asked.push_back(part * times.back() + 0.004);
      std::size_t index = 0;
      while (index + 1 < times.size() && times[index + 1] <= asked.back()) ++index;
      selection += (selection.empty() ? "" : "+") + fmt::format("eq(n\\,{})", index);
    }
    // All frames decoded from the start by ffmpeg, those ones kept.
    const std::string raw =
        shell_bytes("ffmpeg -v error -i " + file.string() + " -vf \"select=" + selection +
                    "\" -vsync 0 -sws_flags bicubic+full_chroma_int+"
                    "accurate_rnd -pix_fmt rgb24 -f rawvideo -");
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const Image shown = frame(clip, asked[i]);
      ASSERT_EQ(raw.size(), asked.size() * shown.size_bytes()) << file;
      Image expected(shown.width(), shown.height(), 3);
      std::memcpy(expected.data(), raw.data() + i * shown.size_bytes(), shown.size_bytes());
      EXPECT_GT(psnr(shown, expected), 45) << file << " at " << asked[i];
    }
  }
}

TEST_F(VideoFunctions, FramesDoNotDependOnWhatWasAskedBefore) {
  const auto file = samples()[3];
  const Limits limits;
  Video one(file, limits);
  Video other(file, limits);
  for (const double seconds : {2.9, 0.2, 2.9, 1.7, 0.2}) {
    const std::optional<Image> shown = one.frame_at(seconds);
    ASSERT_TRUE(shown);
    const std::optional<Image> again = Video(file, limits).frame_at(seconds);
    EXPECT_EQ(psnr(*shown, *again), 100) << seconds;
  }
  EXPECT_EQ(other.frame_count(), one.frame_count());
  EXPECT_EQ(psnr(*other.frame_at(1), *one.frame_at(1)), 100);
}

TEST_F(VideoFunctions, FrameAtIsNullPastTheEndAndRefusesTimesBeforeTheStart) {
  for (const auto& file : samples()) {
    const Value clip = put(file, ValueType::kVideo);
    const double seconds = value("duration(video)", {clip}).number;
    EXPECT_TRUE(value("frame_at(video,float8)", {clip, number(seconds + 1)}).is_null()) << file;
    EXPECT_TRUE(value("frame_at(video,float8)", {clip, number(1e300)}).is_null()) << file;
  }
  const Value clip = put(opencv_sample("tree.avi"), ValueType::kVideo);
  EXPECT_EQ(failure("frame_at(video,float8)", {clip, number(-0.5)}).type, "range");
  EXPECT_EQ(failure("frame_at(video,float8)", {clip, number(NAN)}).type, "range");
  EXPECT_EQ(failure("frame_at(video,float8)", {clip, number(INFINITY)}).type, "range");
}

TEST_F(VideoFunctions, RotationOfTheFileIsApplied) {
  const auto upright =
      make("upright.mp4", "ffmpeg -v error -i " + opencv_sample("vtest.avi").string() +
                              " -t 1 -vf scale=320:240 -c:v libx264 OUT");
  const auto file = make("turned.mp4", "ffmpeg -v error -i " + upright.string() +
                                           " -c copy -metadata:s:v rotate=90 OUT");
  const Value clip = put(file, ValueType::kVideo);
  EXPECT_EQ(value("width(video)", {clip}).integer, 240);
  EXPECT_EQ(value("height(video)", {clip}).integer, 320);
  // ffmpeg turns by itself.
  const auto theirs = make("theirs.png", "ffmpeg -v error -i " + file.string() +
                                             " -frames:v 1 -sws_flags bicubic+accurate_rnd OUT");
  EXPECT_GT(psnr(frame(clip, 0), read_pixels(theirs)), 35);
  // ffprobe gives counter-clockwise degrees.
  EXPECT_EQ((json("metadata(video)", {clip})["rotation"].get<int>() +
             std::stoi(probe("stream_side_data=rotation", file))) %
                360,
            0);
}

TEST_F(VideoFunctions, MetadataTellsContainerStreamsAndTags) {
  const auto file = make("tagged.mkv",
                         "ffmpeg -v error -f lavfi -i testsrc=d=1:s=64x48:r=10 "
                         "-f lavfi -i sine=d=1:r=22050 -metadata title=Demo OUT");
  const nlohmann::json facts = json("metadata(video)", {put(file, ValueType::kVideo)});
  EXPECT_EQ(facts["container"], "matroska");
  EXPECT_EQ(facts["tags"]["title"], "Demo");
  ASSERT_EQ(facts["streams"].size(), 2U);
  EXPECT_EQ(facts["streams"][0]["codec"], "h264");
  EXPECT_EQ(facts["streams"][0]["width"], 64);
  EXPECT_EQ(facts["streams"][0]["fps"], 10.0);
  EXPECT_EQ(facts["streams"][1]["type"], "audio");
  EXPECT_EQ(facts["streams"][1]["sample_rate"], 22050);
}

TEST_F(VideoFunctions, ExtractAudioKeepsEverySample) {
  const auto file =
      make("sound.mkv", "ffmpeg -v error -f lavfi -i testsrc=d=2:s=64x48:r=10 -i " +
                            alsa_sample("Front_Center.wav").string() + " -c:a pcm_s16le OUT");
  const Value clip = put(file, ValueType::kVideo);
  const std::string expected =
      shell("ffmpeg -v error -i " + file.string() + " -f s16le - | md5sum");
  for (const std::string format : {"flac", "wav"}) {
    const Value sound = value("extract_audio(video,text)", {clip, text(format)});
    EXPECT_EQ(sound.type, ValueType::kAudio);
    EXPECT_EQ(path_of(sound).extension(), "." + format);
    EXPECT_EQ(shell("ffmpeg -v error -i " + path_of(sound).string() + " -f s16le - | md5sum"),
              expected);
    // The same bytes again.
    EXPECT_EQ(value("extract_audio(video,text)", {clip, text(format)}), sound);
  }
  for (const auto& [format, codec] : {std::pair{"mp3", "mp3"}, {"opus", "opus"}}) {
    const Value sound = value("extract_audio(video,text)", {clip, text(format)});
    EXPECT_EQ(probe("stream=codec_name", path_of(sound), ""), codec);
    EXPECT_NEAR(value("duration(audio)", {sound}).number, 1.428, 0.1);
    EXPECT_EQ(value("extract_audio(video,text)", {clip, text(format)}), sound) << format;
  }
  EXPECT_EQ(failure("extract_audio(video,text)", {clip, text("midi")}).type, "unsupported");
}

TEST_F(VideoFunctions, ExtractAudioKeeps24BitsAndGivesNullWithoutSound) {
  const auto file = make("deep.mkv",
                         "ffmpeg -v error -f lavfi -i testsrc=d=1:s=64x48:r=10 "
                         "-f lavfi -i sine=d=1:r=96000 -c:a pcm_s24le OUT");
  const Value sound =
      value("extract_audio(video,text)", {put(file, ValueType::kVideo), text("flac")});
  EXPECT_EQ(probe("stream=bits_per_raw_sample", path_of(sound), ""), "24");
  EXPECT_EQ(shell("ffmpeg -v error -i " + path_of(sound).string() + " -f s32le - | md5sum"),
            shell("ffmpeg -v error -i " + file.string() + " -f s32le - | md5sum"));
  const Value silent = put(opencv_sample("vtest.avi"), ValueType::kVideo);
  EXPECT_TRUE(value("extract_audio(video,text)", {silent, text("flac")}).is_null());
}

TEST_F(VideoFunctions, AChainOverExtractedSoundStoresNothing) {
  const auto file = make("sound.mkv", "ffmpeg -v error -f lavfi -i testsrc=d=2:s=64x48:r=10 -i " +
                                          alsa_sample("Noise.wav").string() + " OUT");
  const Value clip = put(file, ValueType::kVideo);
  const Fragment sound = call_of("extract_audio(video,text)", {argument(0), argument(1)});
  const auto cells = evaluator_.evaluate_row(
      {call_of("loudness(audio)", {sound}), call_of("sample_rate(audio)", {sound})},
      {clip, text("flac")});
  EXPECT_LT(std::get<Value>(cells[0]).number, 0);
  EXPECT_EQ(std::get<Value>(cells[1]).integer, 48000);
  EXPECT_EQ(stored_count(), 1U);
  EXPECT_TRUE(std::filesystem::is_empty(store_.folder() / "incoming"));
}

}  // namespace
}  // namespace coppice::functions
