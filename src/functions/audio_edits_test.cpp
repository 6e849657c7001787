// Made sounds against ffmpeg.
#include <fmt/core.h>

#include <cmath>

#include "base/text.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

class AudioEdits : public MediaTest {
 protected:
  static std::string samples(const std::filesystem::path& file, const std::string& options = "") {
    return shell_bytes("ffmpeg -v error -i " + file.string() + " " + options + " -f s16le -");
  }
  std::filesystem::path speech_ = alsa_sample("Front_Center.wav");
  Value sound_ = put(speech_, ValueType::kAudio);
};

TEST_F(AudioEdits, ClipAndEncodeKeepTheSamples) {
  const std::string whole = samples(speech_);
  const Value part = value("clip(audio,float8,float8)", {sound_, number(0.25), number(1.0)});
  EXPECT_EQ(samples(path_of(part)), whole.substr(12000 * 2, 36000 * 2));
  EXPECT_TRUE(value("clip(audio,float8,float8)", {sound_, number(5), number(6)}).is_null());
  const Value flac = value("encode(audio,text)", {sound_, text("flac")});
  EXPECT_EQ(samples(path_of(flac)), whole);
  EXPECT_EQ(path_of(value("encode(audio,text)", {sound_, text("opus")})).extension(), ".opus");
}

TEST_F(AudioEdits, ResampleIsThatOfFfmpeg) {
  const Value lower = value("resample(audio,bigint,bigint)", {sound_, integer(16000), integer(2)});
  EXPECT_EQ(value("sample_rate(audio)", {lower}).integer, 16000);
  EXPECT_EQ(value("channels(audio)", {lower}).integer, 2);
  const std::string ours = samples(path_of(lower));
  const std::string theirs = samples(speech_, "-ar 16000 -ac 2");
  EXPECT_NEAR(static_cast<double>(ours.size()), static_cast<double>(theirs.size()), 64);
  double sum = 0;
  double power = 0;
  for (std::size_t i = 0; i + 1 < std::min(ours.size(), theirs.size()); i += 2) {
    const auto at = [i](const std::string& bytes) {
      return static_cast<double>(static_cast<std::int16_t>(
          static_cast<unsigned char>(bytes[i]) | static_cast<unsigned char>(bytes[i + 1]) << 8));
    };
    sum += (at(ours) - at(theirs)) * (at(ours) - at(theirs));
    power += at(theirs) * at(theirs);
  }
  EXPECT_LT(sum / power, 0.001);
}

TEST_F(AudioEdits, SilenceShareIsThatOfFfmpegsDetector) {
  const auto file =
      make("talk.wav",
           "ffmpeg -v error -f lavfi -i \"aevalsrc='0.3*sin(2000*t)*(gt(t,0.5)*lt(t,1.5)"
           "+gt(t,3)*lt(t,4))':s=16000:d=5\" OUT");
  EXPECT_NEAR(value("silence_share(audio,float8,float8)",
                    {put(file, ValueType::kAudio), number(0.4), number(-50)})
                  .number,
              3.0 / 5, 0.002);
  EXPECT_NEAR(value("silence_share(audio,float8,float8)",
                    {put(file, ValueType::kAudio), number(1.2), number(-50)})
                  .number,
              1.5 / 5, 0.002);
}

TEST_F(AudioEdits, WaveformShowsTheHighestSamples) {
  const auto file = make("half.wav",
                         "ffmpeg -v error -f lavfi -i "
                         "\"aevalsrc='if(lt(t,1),0.5,1)*sin(5000*t)*lt(t,2)':s=44100:d=3\" "
                         "-c:a pcm_s24le OUT");
  const Value drawn =
      value("waveform(audio,bigint,bigint,text)",
            {put(file, ValueType::kAudio), integer(300), integer(101), text("red")});
  const Image image = read_pixels(path_of(drawn));
  const auto height_at = [&](int x) {
    int rows = 0;
    for (int y = 0; y < 101; ++y) rows += image.row(y)[3 * x + 1] == 0 ? 1 : 0;
    return rows;
  };
  EXPECT_EQ(image.width(), 300);
  EXPECT_NEAR(height_at(50), 51, 2);
  EXPECT_NEAR(height_at(150), 101, 2);
  EXPECT_EQ(height_at(250), 1);
}

TEST_F(AudioEdits, ArgumentsThatDoNotFitAreRefused) {
  for (const CellFailure& failed :
       {failure("clip(audio,float8,float8)", {sound_, number(-1), number(1)}),
        failure("clip(audio,float8,float8)", {sound_, number(1), number(1)}),
        failure("resample(audio,bigint,bigint)", {sound_, integer(10), integer(1)}),
        failure("resample(audio,bigint,bigint)", {sound_, integer(8000), integer(99)}),
        failure("silence_share(audio,float8,float8)", {sound_, number(0), number(-50)}),
        failure("waveform(audio,bigint,bigint,text)",
                {sound_, integer(0), integer(10), text("red")})}) {
    EXPECT_EQ(failed.type, "range") << failed.message;
  }
  EXPECT_EQ(failure("encode(audio,text)", {sound_, text("midi")}).type, "unsupported");
}

}  // namespace
}  // namespace coppice::functions
