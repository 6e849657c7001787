// frames and scenes against ffmpeg, which decides what the right frames are.
#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <memory>

#include "base/text.h"
#include "functions/test_media.h"
#include "functions/yuv_planes.h"
#include "media/frame_name.h"

namespace coppice::functions {
namespace {

const std::string kFrames = "frames(video,float8,bigint,boolean,jsonb,boolean)";
const std::string kScenes = "scenes(video,float8)";

class VideoIterators : public MediaTest {
 protected:
  // B-frames, no index, open GOPs, odd rates, a late start, HD colours, turned, 10 bits.
  static void SetUpTestSuite() {
    clips_ = std::make_unique<ScratchFolder>(std::filesystem::temp_directory_path(), "clips");
    const std::string source = opencv_sample("vtest.avi").string();
    const std::string begin = "ffmpeg -v error -i " + source + " -t 4 -vf scale=256:-2 ";
    const std::string folder = " " + clips_->path().string() + "/";
    shell(begin + "-c:v libx264 -preset fast -bf 3 -g 24" + folder + "h264.mp4");
    shell(begin + "-c:v mpeg2video -r 25 -bf 2 -q 3" + folder + "mpeg2.mpg");
    shell("ffmpeg -v error -i " + source +
          " -t 4 -vf scale=256:-2,fps=30000/1001 -c:v libx264 -preset fast -g 24" + folder +
          "h264.ts");
    shell(begin + "-c:v libvpx-vp9 -deadline realtime -cpu-used 8" + folder + "vp9.webm");
    shell("ffmpeg -v error -i " + source +
          " -t 4 -vf scale=256:-2:out_color_matrix=bt709 -colorspace bt709 -color_primaries bt709 "
          "-color_trc bt709 -c:v libx264 -preset fast" +
          folder + "hd.mp4");
    shell(begin + "-pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none" + folder +
          "deep.mkv");
    shell("ffmpeg -v error -display_rotation 90 -i " + clips_->path().string() +
          "/h264.mp4 -c copy" + folder + "turned.mp4 || ffmpeg -v error -i " +
          clips_->path().string() + "/h264.mp4 -c copy -metadata:s:v rotate=90" + folder +
          "turned.mp4");
  }
  static void TearDownTestSuite() { clips_.reset(); }

  static std::filesystem::path clip(const std::string& name) { return clips_->path() / name; }

  nlohmann::json frames(const Value& video, const std::string& arguments, bool stored = true) {
    const auto wanted = nlohmann::json::parse(arguments);
    return json(kFrames,
                {video, number(wanted.value("fps", 0.0)), integer(wanted.value("count", 0)),
                 boolean(wanted.value("keyframes", false)),
                 json_value(wanted.value("at", nlohmann::json::array()).dump()), boolean(stored)});
  }

  // The pictures of all rows, decoded by one ffmpeg.
  std::vector<Image> decoded(const nlohmann::json& rows, ImageSize size) {
    std::string files;
    for (const auto& row : rows) files += " " + object(row["frame"]).string();
    return split_pictures(shell_bytes("cat" + files +
                                      " | ffmpeg -v error -f mjpeg -i - -vsync 0 -sws_flags "
                                      "bicubic+full_chroma_int+accurate_rnd -pix_fmt rgb24 "
                                      "-f rawvideo -"),
                          size);
  }

  static std::vector<Image> split_pictures(const std::string& raw, ImageSize size) {
    const std::size_t bytes = static_cast<std::size_t>(size.width) * size.height * 3;
    EXPECT_EQ(raw.size() % bytes, 0U);
    std::vector<Image> images;
    for (std::size_t at = 0; at + bytes <= raw.size(); at += bytes) {
      images.emplace_back(size.width, size.height, 3);
      std::memcpy(images.back().data(), raw.data() + at, bytes);
    }
    return images;
  }

  // The pictures that ffmpeg picks with these options, in RGB.
  static std::vector<Image> pictures(const std::filesystem::path& file, const std::string& options,
                                     ImageSize size, const std::string& before = "") {
    return split_pictures(
        shell_bytes("ffmpeg -v error " + before + " -i " + file.string() + " " + options +
                    " -vsync 0 -sws_flags bicubic+full_chroma_int+accurate_rnd -pix_fmt rgb24 "
                    "-f rawvideo -"),
        size);
  }

  void expect_pictures(const nlohmann::json& rows, const std::vector<Image>& expected,
                       const std::string& what, double quality = 33) {
    ASSERT_EQ(rows.size(), expected.size()) << what;
    const std::vector<Image> ours = decoded(rows, {expected[0].width(), expected[0].height()});
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_GT(psnr(ours[i], expected[i]), quality) << what << " row " << i;
    }
  }

  ImageSize size_of(const Value& video) {
    return {static_cast<int>(value("width(video)", {video}).integer),
            static_cast<int>(value("height(video)", {video}).integer)};
  }

  static inline std::unique_ptr<ScratchFolder> clips_;
};

TEST_F(VideoIterators, FramesByRateAreThoseOfFfmpegsFilterFps) {
  for (const std::string name :
       {"h264.mp4", "mpeg2.mpg", "h264.ts", "vp9.webm", "hd.mp4", "deep.mkv", "turned.mp4"}) {
    const Value video = put(clip(name), ValueType::kVideo);
    for (const double fps : {0.5, 1.0, 3.7, 40.0}) {
      const std::string what = fmt::format("{} at {}", name, fps);
      const auto rows = frames(video, fmt::format(R"({{"fps": {}}})", fps));
      expect_pictures(rows, pictures(clip(name), fmt::format("-vf fps={}", fps), size_of(video)),
                      what);
    }
  }
}

TEST_F(VideoIterators, FramesOfDifferentTimesAreDifferentPictures) {
  // Each frame shows its number in grey, so that a neighbour would not pass for it.
  const auto file = make("counted.mp4",
                         "ffmpeg -v error -f lavfi -i "
                         "\"color=black:s=64x48:r=20:d=6,geq=lum='40+N':cb=128:cr=128\" "
                         "-c:v libx264 -crf 1 -bf 2 -g 30 OUT");
  const Value video = put(file, ValueType::kVideo);
  for (const double fps : {1.0, 3.0, 7.0, 20.0}) {
    const auto rows = frames(video, fmt::format(R"({{"fps": {}}})", fps));
    const auto theirs = pictures(file, fmt::format("-vf fps={}", fps), {64, 48});
    ASSERT_EQ(rows.size(), theirs.size()) << fps;
    const auto ours = decoded(rows, {64, 48});
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      EXPECT_NEAR(ours[i].row(24)[96], theirs[i].row(24)[96], 1) << fps << " row " << i;
    }
  }
}

TEST_F(VideoIterators, EveryTimeIsThatOfFrameAt) {
  const Value video = put(clip("h264.mp4"), ValueType::kVideo);
  for (const std::string arguments : {R"({"fps": 2.3})", R"({"count": 7})",
                                      R"({"keyframes": true})", R"({"at": [2.9, 0, 1.31]})"}) {
    for (const auto& row : frames(video, arguments)) {
      const Value shown =
          value("frame_at(video,float8)", {video, number(row["at_seconds"].get<double>())});
      EXPECT_GT(psnr(read_pixels(object(row["frame"])), read_pixels(path_of(shown))), 38)
          << arguments << row;
    }
  }
}

TEST_F(VideoIterators, CountIsSpreadEvenlyAndKeyFramesAreThoseOfFfmpeg) {
  for (const std::string name : {"h264.mp4", "mpeg2.mpg", "h264.ts", "vp9.webm"}) {
    const Value video = put(clip(name), ValueType::kVideo);
    const auto rows = frames(video, R"({"count": 5})");
    ASSERT_EQ(rows.size(), 5U) << name;
    const double duration = value("duration(video)", {video}).number;
    for (int i = 0; i < 5; ++i)
      EXPECT_NEAR(rows[i]["at_seconds"].get<double>(), i * duration / 5, 1e-9);
    const auto keys = frames(video, R"({"keyframes": true})");
    EXPECT_GE(keys.size(), 1U);
    expect_pictures(keys, pictures(clip(name), "-vf select=key", size_of(video)), name);
  }
}

TEST_F(VideoIterators, TimesKeepTheirOrderAndEndInNull) {
  const Value video = put(clip("h264.mp4"), ValueType::kVideo);
  const auto rows = frames(video, R"({"at": [3, 0.5, 99, 0.5, 1e9]})");
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0]["at_seconds"], 3.0);
  EXPECT_EQ(rows[1]["frame"], rows[3]["frame"]);
  EXPECT_NE(rows[0]["frame"], rows[1]["frame"]);
  EXPECT_TRUE(rows[2]["frame"].is_null());
  EXPECT_TRUE(rows[4]["frame"].is_null());
}

TEST_F(VideoIterators, TimesFarApartAreJumpedTo) {
  const auto file = make("long.mp4",
                         "ffmpeg -v error -f lavfi -i "
                         "\"color=black:s=64x48:r=10:d=100,geq=lum='20+N/5':cb=128:cr=128\" "
                         "-c:v libx264 -crf 1 -bf 2 -g 50 OUT");
  const Value video = put(file, ValueType::kVideo);
  const auto rows = frames(video, R"({"at": [90.05, 3, 40, 40.2, 71.9]})");
  const std::vector<int> numbers = {900, 30, 400, 402, 719};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const Image ours = read_pixels(object(rows[i]["frame"]));
    const auto theirs =
        pictures(file, fmt::format("-vf 'select=eq(n\\,{})'", numbers[i]), {64, 48});
    ASSERT_EQ(theirs.size(), 1U);
    EXPECT_NEAR(ours.row(24)[96], theirs[0].row(24)[96], 1) << i;
  }
}

// The digest of a frame's bytes, stored or not.
TEST_F(VideoIterators, FramesThatAreNotStoredAreThoseThatAreWhateverTheirOrder) {
  for (const std::string name : {"h264.mp4", "mpeg2.mpg", "h264.ts", "vp9.webm", "hd.mp4",
                                 "deep.mkv", "turned.mp4", "street.avi"}) {
    const Value video = name == "street.avi" ? put(opencv_sample("tree.avi"), ValueType::kVideo)
                                             : put(clip(name), ValueType::kVideo);
    for (const std::string arguments : {R"({"fps": 3.7})", R"({"count": 5})",
                                        R"({"keyframes": true})", R"({"at": [2.9, 0, 1.31]})"}) {
      const auto stored = frames(video, arguments);
      const std::size_t before = stored_count();
      auto rows = frames(video, arguments, false);
      ASSERT_EQ(rows.size(), stored.size()) << name << arguments;
      std::vector<std::size_t> order(rows.size());
      for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = i % 2 == 0 ? i / 2 : rows.size() - 1 - i / 2;
      for (const bool mixed : {false, true}) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          const auto& row = rows[mixed ? order[i] : i];
          const auto& other = stored[mixed ? order[i] : i];
          EXPECT_EQ(row["at_seconds"], other["at_seconds"]);
          const std::string frame = row["frame"];
          ASSERT_TRUE(FrameName::parse(frame)) << frame;
          Value image;
          image.type = ValueType::kImage;
          image.text = frame;
          EXPECT_EQ("media:" + value("sha256(image)", {image}).text + ".jpg",
                    other["frame"].get<std::string>())
              << name << arguments << frame;
        }
      }
      EXPECT_EQ(stored_count(), before);
    }
  }
}

TEST_F(VideoIterators, AFrameThatIsNotThereIsMissing) {
  const Value video = put(clip("h264.mp4"), ValueType::kVideo);
  Value image;
  image.type = ValueType::kImage;
  const std::string digits = video.text.substr(std::string("media:").size());
  for (const std::string& text : {"frame:" + digits + "@1", "frame:" + digits + "@999999999",
                                  "frame:" + std::string(64, '0') + ".mp4@0"}) {
    image.text = text;
    EXPECT_EQ(failure("width(image)", {image}).type, "missing") << text;
  }
  image.text = frames(video, R"({"count": 1})", false)[0]["frame"];
  EXPECT_EQ(value("width(image)", {image}).integer, 256);
  EXPECT_EQ(value("resize(image,bigint,bigint)", {image, integer(64), integer(0)}).text,
            value("resize(image,bigint,bigint)",
                  {value("store(image)", {image}), integer(64), integer(0)})
                .text);
}

TEST_F(VideoIterators, ExactlyOneWayToPickMustBeGiven) {
  const Value video = put(clip("h264.mp4"), ValueType::kVideo);
  const auto refused = [&](double fps, int count, bool keyframes, const std::string& at) {
    return failure(kFrames, {video, number(fps), integer(count), boolean(keyframes), json_value(at),
                             boolean(true)});
  };
  const CellFailure none = refused(0, 0, false, "[]");
  EXPECT_EQ(none.type, "range");
  EXPECT_EQ(none.message,
            "frames: exactly one of fps, count, keyframes and at must be given, not none");
  EXPECT_EQ(refused(1, 1, false, "[]").type, "range");
  EXPECT_EQ(refused(-1, 0, false, "[]").type, "range");
  EXPECT_EQ(refused(NAN, 0, false, "[]").type, "range");
  EXPECT_EQ(refused(1e9, 0, false, "[]").type, "range");
  EXPECT_EQ(refused(0, -1, false, "[]").type, "range");
  EXPECT_EQ(refused(0, 1'000'000'000, false, "[]").type, "limit");
  EXPECT_EQ(refused(0, 0, false, "[-1]").type, "range");
  EXPECT_EQ(refused(0, 0, false, R"(["a"])").type, "range");
  EXPECT_EQ(refused(0, 0, false, R"({"a": 1})").type, "range");
}

TEST_F(VideoIterators, ScenesBeginWhereFfmpegSeesACut) {
  std::string inputs;
  std::string chain;
  int index = 0;
  for (const std::string sample : {"vtest.avi", "tree.avi", "vtest.avi"}) {
    inputs += " -i " + opencv_sample(sample).string();
    chain += fmt::format("[{0}:v]trim=0:2,setpts=PTS-STARTPTS,scale=320:240,setsar=1,fps=10[v{0}];",
                         index++);
  }
  const auto file = make(
      "cuts.mp4", "ffmpeg -v error" + inputs + " -filter_complex \"" + chain +
                      "[v0][v1][v2]concat=n=3:v=1,setpts=N/10/TB,fps=10\" -an -c:v libx264 OUT");
  const Value video = put(file, ValueType::kVideo);
  for (const double threshold : {0.1, 0.3}) {
    const auto rows = json(kScenes, {video, number(threshold)});
    const std::string theirs = shell(fmt::format(
        "ffmpeg -v error -i {} -vf \"select='gt(scene,{})',metadata=print:file=-\" -f null - | "
        "sed -n 's/.*pts_time://p'",
        file.string(), threshold));
    const auto times = split(theirs, '\n');
    ASSERT_EQ(rows.size(), times.size() + 1) << threshold << " " << theirs;
    EXPECT_EQ(rows[0]["start_seconds"], 0.0);
    for (std::size_t i = 0; i < times.size(); ++i) {
      EXPECT_NEAR(rows[i + 1]["start_seconds"].get<double>(), std::stod(times[i]), 1e-5);
      EXPECT_EQ(rows[i]["end_seconds"], rows[i + 1]["start_seconds"]);
    }
    EXPECT_NEAR(rows.back()["end_seconds"].get<double>(), value("duration(video)", {video}).number,
                0.15);
  }
  EXPECT_GE(json(kScenes, {video, number(0.3)}).size(), 3U);
  for (const double threshold : {0.0, 1.0, -1.0, static_cast<double>(NAN)}) {
    EXPECT_EQ(failure(kScenes, {video, number(threshold)}).type, "range");
  }
}

TEST(YuvPlanes, ColoursOfHdBecomeThoseOfAJpeg) {
  // Values worked out by hand through RGB: BT.709 in, BT.601 out, head room gone.
  struct Sample {
    std::array<int, 3> from;
    std::array<int, 3> to;
  };
  // White, black, red, green, blue.
  const std::array<Sample, 5> samples = {
      Sample{{235, 128, 128}, {255, 128, 128}}, Sample{{16, 128, 128}, {0, 128, 128}},
      Sample{{63, 102, 240}, {76, 85, 255}}, Sample{{173, 42, 26}, {150, 44, 21}},
      Sample{{32, 240, 118}, {29, 255, 107}}};
  for (const Sample& sample : samples) {
    std::array<std::array<std::uint8_t, 4>, 3> planes{};
    YuvPlanes source;
    for (int plane = 0; plane < 3; ++plane) {
      planes[plane].fill(static_cast<std::uint8_t>(sample.from[plane]));
      source.data[plane] = planes[plane].data();
      source.strides[plane] = 2;
    }
    source.width = source.height = 2;
    std::array<std::uint8_t, 6> target{};
    convert_to_jfif(source, kBt709, false, target.data());
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(target[i], sample.to[0], 1) << sample.from[0];
    EXPECT_NEAR(target[4], sample.to[1], 1) << sample.from[0];
    EXPECT_NEAR(target[5], sample.to[2], 1) << sample.from[0];
  }
}

}  // namespace
}  // namespace coppice::functions
