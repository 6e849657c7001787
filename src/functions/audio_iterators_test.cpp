// audio_segments against ffmpeg: the same samples, the same silences.
#include <fmt/core.h>

#include <cmath>

#include "base/text.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

const std::string kSegments = "audio_segments(audio,float8,float8,float8)";

class AudioIterators : public MediaTest {
 protected:
  nlohmann::json segments(const Value& sound, double duration, double silence, double overlap) {
    return json(kSegments, {sound, number(duration), number(silence), number(overlap)});
  }
  static std::string samples(const std::filesystem::path& file, const std::string& options = "") {
    return shell_bytes("ffmpeg -v error -i " + file.string() + " " + options + " -f s16le -");
  }
};

TEST_F(AudioIterators, SegmentsPutTogetherAreTheSound) {
  const std::string speech = alsa_sample("Front_Center.wav").string();
  for (const auto& file : {alsa_sample("Front_Center.wav"),
                           make("a.mp3", "ffmpeg -v error -i " + speech + " -ac 2 -ar 44100 OUT"),
                           make("a.ogg", "ffmpeg -v error -i " + speech + " -c:a libopus OUT")}) {
    const Value sound = put(file, ValueType::kAudio);
    const int frame_bytes = 2 * static_cast<int>(value("channels(audio)", {sound}).integer);
    const std::string whole = samples(file, "-c:a pcm_s16le");
    std::string together;
    double end = 0;
    for (const auto& row : segments(sound, 0.3, 0, 0)) {
      EXPECT_NEAR(row["start_seconds"].get<double>(), end, 1e-9);
      end = row["end_seconds"];
      together += samples(object(row["segment"]));
    }
    EXPECT_EQ(together.size(), whole.size()) << file;
    // Lossy sounds decode to floating point, which ffmpeg rounds in its own way.
    if (file.extension() == ".wav") {
      EXPECT_EQ(together, whole) << file;
    }
    const auto rate = value("sample_rate(audio)", {sound}).integer;
    EXPECT_NEAR(end, static_cast<double>(whole.size()) / frame_bytes / static_cast<double>(rate),
                1e-4);
  }
}

TEST_F(AudioIterators, OverlapsRepeatTheSamplesBefore) {
  const auto file = alsa_sample("Front_Center.wav");
  const Value sound = put(file, ValueType::kAudio);
  const std::string whole = samples(file);
  const auto rows = segments(sound, 0.5, 0, 0.2);
  ASSERT_EQ(rows.size(), 5U);  // 1.428 s: 0 to .5, .3 to .8, .6 to 1.1, .9 to 1.4, 1.2 to the end
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_NEAR(rows[i]["start_seconds"].get<double>(), 0.3 * static_cast<double>(i), 1e-9);
    const std::string part = samples(object(rows[i]["segment"]));
    const auto begin = static_cast<std::size_t>(std::llround(0.3 * i * 48000)) * 2;
    EXPECT_EQ(part, whole.substr(begin, 48000)) << i;
  }
  EXPECT_EQ(segments(sound, 0.5, 0, 0.2), rows);
}

TEST_F(AudioIterators, SilencesAreThoseOfFfmpegsDetector) {
  const auto file =
      make("talk.wav",
           "ffmpeg -v error -f lavfi -i \"aevalsrc='0.3*sin(2000*t)*(gt(t,0.7)*lt(t,1.5)"
           "+gt(t,1.7)*lt(t,2.2)+gt(t,3.1)*lt(t,4.05))+0.0001*sin(300*t)|0':s=16000:"
           "d=5\" OUT");
  const std::string report =
      shell("ffmpeg -nostats -i " + file.string() +
            " -af silencedetect=noise=0.0031622777:d=0.4 -f null - 2>&1 | "
            "sed -n 's/.*silence_\\(start\\|end\\): \\([0-9.-]*\\).*/\\2/p'");
  const auto times = split(report, '\n');  // start, end, start, end, …
  ASSERT_EQ(times.size(), 6U) << report;
  const Value sound = put(file, ValueType::kAudio);
  const auto rows = segments(sound, 0, 0.4, 0);
  ASSERT_EQ(rows.size(), 2U) << rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_NEAR(rows[i]["start_seconds"].get<double>(), std::stod(times[2 * i + 1]), 0.002);
    EXPECT_NEAR(rows[i]["end_seconds"].get<double>(), std::stod(times[2 * i + 2]), 0.002);
  }
  const auto wider = segments(sound, 0, 0.4, 0.1);
  EXPECT_NEAR(wider[0]["start_seconds"].get<double>(), rows[0]["start_seconds"].get<double>() - 0.1,
              1e-4);
  EXPECT_NEAR(wider[1]["end_seconds"].get<double>(), rows[1]["end_seconds"].get<double>() + 0.1,
              1e-4);
  const auto quiet = make("quiet.wav", "ffmpeg -v error -f lavfi -i anullsrc=d=2 OUT");
  EXPECT_TRUE(segments(put(quiet, ValueType::kAudio), 0, 0.5, 0).empty());
}

TEST_F(AudioIterators, DeepSamplesStayDeep) {
  const auto file =
      make("deep.wav", "ffmpeg -v error -f lavfi -i sine=d=1:r=96000 -c:a pcm_s24le OUT");
  const auto rows = segments(put(file, ValueType::kAudio), 0.4, 0, 0);
  ASSERT_EQ(rows.size(), 3U);
  std::string together;
  for (const auto& row : rows) {
    together +=
        shell_bytes("ffmpeg -v error -i " + object(row["segment"]).string() + " -f s32le -");
  }
  EXPECT_EQ(together, shell_bytes("ffmpeg -v error -i " + file.string() + " -f s32le -"));
}

TEST_F(AudioIterators, ArgumentsThatDoNotFitAreRefused) {
  const Value sound = put(alsa_sample("Front_Center.wav"), ValueType::kAudio);
  const auto refused = [&](double duration, double silence, double overlap) {
    return failure(kSegments, {sound, number(duration), number(silence), number(overlap)});
  };
  EXPECT_EQ(refused(0, 0, 0).message,
            "audio_segments: exactly one of duration and silence must be given, not none");
  for (const CellFailure& failed :
       {refused(1, 1, 0), refused(-1, 0, 0), refused(0.001, 0, 0), refused(NAN, 0, 0),
        refused(1, 0, 1), refused(1, 0, -1), refused(0, 1, 0.6), refused(1, 0, NAN)}) {
    EXPECT_EQ(failed.type, "range") << failed.message;
  }
  const Value longer =
      put(make("long.wav", "ffmpeg -v error -f lavfi -i sine=d=3:r=8000 OUT"), ValueType::kAudio);
  const CellFailure many = failure(kSegments, {longer, number(1), number(0), number(0.99)});
  EXPECT_NE(many.message.find("over 64 segments"), std::string::npos) << many.message;
}

}  // namespace
}  // namespace coppice::functions
