#include <cmath>

#include "functions/loudness.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

std::string probe(const std::string& entry, const std::filesystem::path& file) {
  return shell("ffprobe -v error -show_entries " + entry + " -of default=nw=1:nk=1 " +
               file.string() + " | head -1");
}

// What ffmpeg's own meter says.
double ebur128(const std::filesystem::path& file) {
  return std::stod(shell("ffmpeg -nostats -i " + file.string() +
                         " -filter_complex ebur128 -f null - 2>&1 | grep -A2 'Integrated' | "
                         "grep 'I:' | tail -1 | sed 's/.*I: *//; s/ LUFS//'"));
}

class AudioFunctions : public MediaTest {};

TEST_F(AudioFunctions, FactsAreThoseOfFfprobe) {
  const std::string source = alsa_sample("Front_Center.wav").string();
  for (const auto& file : {alsa_sample("Front_Center.wav"), alsa_sample("Noise.wav"),
                           make("a.mp3", "ffmpeg -v error -i " + source + " OUT"),
                           make("a.ogg", "ffmpeg -v error -i " + source + " -ar 44100 -ac 2 OUT"),
                           make("a.flac", "ffmpeg -v error -i " + source + " OUT"),
                           make("a.m4a", "ffmpeg -v error -i " + source + " -ar 32000 OUT")}) {
    const Value sound = put(file, ValueType::kAudio);
    EXPECT_EQ(value("sample_rate(audio)", {sound}).integer,
              std::stoi(probe("stream=sample_rate", file)));
    EXPECT_EQ(value("channels(audio)", {sound}).integer, std::stoi(probe("stream=channels", file)));
    EXPECT_NEAR(value("duration(audio)", {sound}).number, std::stod(probe("format=duration", file)),
                1e-3)
        << file;
    EXPECT_EQ(json("metadata(audio)", {sound})["codec"], probe("stream=codec_name", file));
    EXPECT_EQ(json("probe(audio)", {sound})["kind"], "audio");
  }
}

TEST_F(AudioFunctions, LoudnessIsThatOfFfmpegsMeter) {
  const std::string speech = alsa_sample("Front_Center.wav").string();
  // Speech, noise, loud and soft parts (the gates), rates from 8 to 96 kHz, surround with LFE.
  for (const auto& file :
       {alsa_sample("Front_Center.wav"), alsa_sample("Noise.wav"), alsa_sample("Rear_Left.wav"),
        make("low.wav", "ffmpeg -v error -i " + speech + " -ar 8000 OUT"),
        make("cd.flac", "ffmpeg -v error -i " + speech + " -ar 44100 -ac 2 OUT"),
        make("high.wav", "ffmpeg -v error -f lavfi -i sine=f=997:r=96000:d=5 OUT"),
        make("gated.wav",
             "ffmpeg -v error -f lavfi -i sine=f=400:r=48000:d=6 "
             "-af \"volume='if(lt(t,3),1,0.02)':eval=frame\" OUT"),
        make("surround.wav",
             "ffmpeg -v error -f lavfi -i "
             "\"aevalsrc=0.1*sin(880*t)|0.1*sin(600*t)|0.2*sin(500*t)|0.5*sin(60*t)|0.3*sin(900*t)|"
             "0.3*sin(1900*t):c=5.1:s=48000:d=3\" OUT")}) {
    EXPECT_NEAR(value("loudness(audio)", {put(file, ValueType::kAudio)}).number, ebur128(file),
                0.11)
        << file;
  }
}

TEST_F(AudioFunctions, SilenceAndVeryShortSoundsHaveNoLoudness) {
  const auto silence = make("silence.wav", "ffmpeg -v error -f lavfi -i anullsrc=d=2 OUT");
  EXPECT_TRUE(value("loudness(audio)", {put(silence, ValueType::kAudio)}).is_null());
  const auto shortest = make("short.wav", "ffmpeg -v error -f lavfi -i sine=d=0.3 OUT");
  EXPECT_TRUE(value("loudness(audio)", {put(shortest, ValueType::kAudio)}).is_null());
}

TEST(LoudnessMeter, GivesTheStandardsReferenceLevel) {
  // BS.1770: a 997 Hz sine of full scale in one channel reads -3.01 LUFS, at every rate.
  for (const int rate : {16000, 44100, 48000, 192000}) {
    LoudnessMeter meter(rate, {1.0, 1.0});
    std::vector<double> samples;
    for (int i = 0; i < rate * 2; ++i) {
      samples.push_back(std::sin(2 * M_PI * 997 * i / rate));
      samples.push_back(0);
    }
    meter.add(samples);
    ASSERT_TRUE(meter.integrated().has_value());
    EXPECT_NEAR(*meter.integrated(), -3.01, 0.05) << rate;
  }
}

}  // namespace
}  // namespace coppice::functions
