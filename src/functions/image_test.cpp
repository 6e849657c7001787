#include "functions/image.h"

#include <bit>
#include <cmath>

#include "base/text.h"
#include "functions/exif.h"
#include "functions/perceptual_hash.h"
#include "functions/resample.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

// Puts EXIF data with this orientation, maker and position behind the start of a JPEG.
std::string with_exif(std::string jpeg, int orientation) {
  const std::string maker = "Coppice Works";
  std::string tiff("MM\0\x2a\0\0\0\x08", 8);
  const auto u16 = [](int value) {
    return std::string{static_cast<char>(value >> 8), static_cast<char>(value)};
  };
  const auto u32 = [&](int value) { return u16(value >> 16) + u16(value & 0xffff); };
  tiff += u16(2);
  tiff += u16(0x010f) + u16(2) + u32(static_cast<int>(maker.size()) + 1) + u32(38);
  tiff += u16(0x0112) + u16(3) + u32(1) + u16(orientation) + u16(0);
  tiff += u32(0) + maker + std::string(1, '\0');
  const std::string body = std::string("Exif\0\0", 6) + tiff;
  const std::string segment = "\xff\xe1" + u16(static_cast<int>(body.size()) + 2) + body;
  return jpeg.insert(2, segment);
}

class ImageFunctions : public MediaTest {
 protected:
  Value image(const std::string& name) { return put(opencv_sample(name), ValueType::kImage); }
  Value png(const Value& picture) {
    return value("encode(image,text,bigint)", {picture, text("png"), integer(85)});
  }
  // Resized and kept without loss, within one chain.
  Image thumbnail(const Value& picture, std::int64_t width, std::int64_t height) {
    const Fragment small =
        call_of("resize(image,bigint,bigint)", {argument(0), argument(1), argument(2)});
    const auto cells = evaluator_.evaluate_row(
        {call_of("encode(image,text,bigint)", {small, argument(3), argument(4)})},
        {picture, integer(width), integer(height), text("png"), integer(85)});
    return read_pixels(path_of(cells[0]));
  }
};

TEST_F(ImageFunctions, WidthAndHeightAreThoseOfVipsheader) {
  for (const std::string name : {"fruits.jpg", "aloeL.jpg", "left01.jpg", "opencv-logo.png",
                                 "notes.png", "graf1.png", "HappyFish.jpg"}) {
    const std::string file = opencv_sample(name).string();
    const Value picture = image(name);
    EXPECT_EQ(value("width(image)", {picture}).integer,
              std::stoi(shell("vipsheader -f width " + file)));
    EXPECT_EQ(value("height(image)", {picture}).integer,
              std::stoi(shell("vipsheader -f height " + file)));
  }
}

TEST_F(ImageFunctions, EveryFormatIsReadAndResizedAsVipsthumbnailDoes) {
  const std::string source = opencv_sample("fruits.jpg").string();
  for (const std::string extension : {"jpg", "png", "webp", "gif", "tif", "avif"}) {
    const auto file = make("sample." + extension, "vips copy " + source + " OUT");
    const auto theirs = make("theirs_" + extension + ".png",
                             "vipsthumbnail " + file.string() + " --size 200x200 -o OUT");
    EXPECT_GT(psnr(thumbnail(put(file, ValueType::kImage), 200, 200), read_pixels(theirs)), 34)
        << extension;
  }
}

TEST_F(ImageFunctions, ResizeFitsTheBoxAndKeepsTheAspectRatio) {
  const Value picture = image("fruits.jpg");  // 512 x 480
  const auto size = [&](std::int64_t width, std::int64_t height) {
    const Value small =
        value("resize(image,bigint,bigint)", {picture, integer(width), integer(height)});
    return shell("vipsheader -f width " + path_of(small).string()) + "x" +
           shell("vipsheader -f height " + path_of(small).string());
  };
  EXPECT_EQ(size(256, 0), "256x240");
  EXPECT_EQ(size(0, 120), "128x120");
  EXPECT_EQ(size(100, 1000), "100x94");
  EXPECT_EQ(size(1024, 1024), "1024x960");
  EXPECT_EQ(size(512, 480), "512x480");
  EXPECT_EQ(size(1, 1), "1x1");
}

TEST_F(ImageFunctions, ArgumentsOutOfRangeAreRefusedWithTheNumbers) {
  const Value picture = image("fruits.jpg");
  EXPECT_EQ(failure("resize(image,bigint,bigint)", {picture, integer(0), integer(0)}).type,
            "range");
  EXPECT_EQ(failure("resize(image,bigint,bigint)", {picture, integer(-5), integer(9)}).type,
            "range");
  EXPECT_EQ(failure("resize(image,bigint,bigint)", {picture, integer(65000), integer(0)}).type,
            "limit");
  const CellFailure outside = failure("crop(image,bigint,bigint,bigint,bigint)",
                                      {picture, integer(500), integer(0), integer(13), integer(1)});
  EXPECT_EQ(outside.type, "range");
  EXPECT_NE(outside.message.find("512 x 480"), std::string::npos) << outside.message;
  EXPECT_EQ(failure("crop(image,bigint,bigint,bigint,bigint)",
                    {picture, integer(1), integer(1), integer(INT64_MAX), integer(1)})
                .type,
            "range");
  EXPECT_EQ(failure("encode(image,text,bigint)", {picture, text("bmp"), integer(85)}).type,
            "unsupported");
  EXPECT_EQ(failure("encode(image,text,bigint)", {picture, text("jpeg"), integer(101)}).type,
            "range");
  EXPECT_EQ(failure("rotate(image,float8)", {picture, number(NAN)}).type, "range");
}

TEST_F(ImageFunctions, CropAndQuarterTurnsAreExact) {
  const std::string source = opencv_sample("graf1.png").string();
  const Value picture = image("graf1.png");
  const Value part = value("crop(image,bigint,bigint,bigint,bigint)",
                           {picture, integer(10), integer(20), integer(300), integer(200)});
  const auto their_part = make("part.png", "vips crop " + source + " OUT 10 20 300 200");
  EXPECT_EQ(psnr(read_pixels(path_of(part)), read_pixels(their_part)), 100);
  for (const auto& [degrees, angle] :
       {std::pair{90.0, "d90"}, {180.0, "d180"}, {270.0, "d270"}, {-90.0, "d270"}, {720.0, "d0"}}) {
    const Value turned = value("rotate(image,float8)", {picture, number(degrees)});
    const auto theirs = make("turned.png", "vips rot " + source + " OUT " + angle);
    EXPECT_EQ(psnr(read_pixels(path_of(turned)), read_pixels(theirs)), 100) << degrees;
  }
}

TEST_F(ImageFunctions, FreeRotationGrowsTheCanvasAndKeepsTheCentre) {
  const Value picture = image("graf1.png");  // 800 x 640
  const Image before = read_pixels(opencv_sample("graf1.png"));
  const Image after = read_pixels(path_of(value("rotate(image,float8)", {picture, number(30)})));
  EXPECT_NEAR(after.width(), 800 * std::cos(M_PI / 6) + 640 * std::sin(M_PI / 6), 2);
  EXPECT_NEAR(after.height(), 800 * std::sin(M_PI / 6) + 640 * std::cos(M_PI / 6), 2);
  EXPECT_EQ(after.row(0)[0], 0);
  // Turned back by hand: a point right of the centre is found below it, 30 degrees clockwise.
  double difference = 0;
  int count = 0;
  for (int distance = -200; distance <= 200; distance += 5) {
    const int x =
        static_cast<int>(std::lround(after.width() / 2.0 + distance * std::cos(M_PI / 6)));
    const int y =
        static_cast<int>(std::lround(after.height() / 2.0 + distance * std::sin(M_PI / 6)));
    difference += std::abs(static_cast<int>(after.row(y)[3 * x]) -
                           static_cast<int>(before.row(320)[3 * (400 + distance)]));
    ++count;
  }
  EXPECT_LT(difference / count, 25);
}

TEST_F(ImageFunctions, GrayscaleHasTheLumaThatFfmpegComputes) {
  const Value grey = value("grayscale(image)", {image("graf1.png")});
  EXPECT_EQ(shell("vipsheader -f bands " + path_of(grey).string()), "1");
  const Image theirs = read_pixels(opencv_sample("graf1.png"), 1);
  EXPECT_GT(psnr(read_pixels(path_of(grey), 1), theirs), 45);
}

TEST_F(ImageFunctions, EncodeGivesTheFormatThatIsAsked) {
  const Value picture = image("fruits.jpg");
  const Image original = read_pixels(opencv_sample("fruits.jpg"));
  for (const auto& [format, type] : {std::pair{"jpeg", "image/jpeg"},
                                     {"png", "image/png"},
                                     {"webp", "image/webp"},
                                     {"avif", "image/avif"},
                                     {"gif", "image/gif"},
                                     {"TIFF", "image/tiff"}}) {
    const Value encoded = value("encode(image,text,bigint)", {picture, text(format), integer(90)});
    EXPECT_EQ(shell("file -b --mime-type " + path_of(encoded).string()), type);
    EXPECT_EQ(value("mime_type(image)", {encoded}).text, type);
    const auto decoded = make("decoded.png", "vips copy " + path_of(encoded).string() + " OUT");
    EXPECT_GT(psnr(read_pixels(decoded), original), 26) << format;
  }
}

TEST_F(ImageFunctions, LossySourcesStayJpegAndLosslessOrTransparentOnesPng) {
  const auto extension = [&](const Value& picture) {
    return path_of(value("resize(image,bigint,bigint)", {picture, integer(64), integer(0)}))
        .extension()
        .string();
  };
  EXPECT_EQ(extension(image("fruits.jpg")), ".jpg");
  EXPECT_EQ(extension(image("graf1.png")), ".png");
  EXPECT_EQ(extension(image("opencv-logo.png")), ".png");  // has alpha
  const std::string source = opencv_sample("graf1.png").string();
  EXPECT_EQ(
      extension(put(make("lossy.webp", "vips webpsave " + source + " OUT"), ValueType::kImage)),
      ".jpg");
  EXPECT_EQ(extension(put(make("exact.webp", "vips webpsave --lossless " + source + " OUT"),
                          ValueType::kImage)),
            ".png");
}

TEST_F(ImageFunctions, AlphaSurvivesResizingAndIsLaidOnWhiteForJpeg) {
  const Value logo = image("opencv-logo.png");
  const Value small = value("resize(image,bigint,bigint)", {logo, integer(100), integer(0)});
  EXPECT_EQ(shell("vipsheader -f bands " + path_of(small).string()), "4");
  const Value jpeg = value("encode(image,text,bigint)", {small, text("jpeg"), integer(90)});
  const Image flat = read_pixels(path_of(jpeg));
  EXPECT_GT(flat.row(0)[0], 250);  // the corner is transparent
}

TEST_F(ImageFunctions, EveryExifOrientationIsShownAsVipsShowsIt) {
  const std::string plain = read_file(opencv_sample("HappyFish.jpg"));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto file = scratch("turned" + std::to_string(orientation) + ".jpg");
    write_file_atomically(file, with_exif(plain, orientation));
    const Value picture = put(file, ValueType::kImage);
    const auto theirs = make("upright.png", "vips autorot " + file.string() + " OUT");
    const Image expected = read_pixels(theirs);
    EXPECT_EQ(value("width(image)", {picture}).integer, expected.width());
    EXPECT_GT(psnr(read_pixels(path_of(png(picture))), expected), 40) << orientation;
    const auto theirs_small =
        make("thumbnail.png", "vipsthumbnail " + file.string() + " --size 60x60 -o OUT");
    EXPECT_GT(psnr(thumbnail(picture, 60, 60), read_pixels(theirs_small)), 30) << orientation;
  }
}

TEST_F(ImageFunctions, MetadataTellsTheHeaderAndExif) {
  const auto file = scratch("exif.jpg");
  write_file_atomically(file, with_exif(read_file(opencv_sample("HappyFish.jpg")), 6));
  const nlohmann::json facts = json("metadata(image)", {put(file, ValueType::kImage)});
  EXPECT_EQ(facts["format"], "jpeg");
  EXPECT_EQ(facts["orientation"], 6);
  EXPECT_EQ(facts["exif"]["make"], "Coppice Works");
  EXPECT_EQ(facts["width"].get<int>(),
            std::stoi(shell("vipsheader -f height " + file.string())));  // turned
  EXPECT_EQ(facts["size_bytes"].get<std::uintmax_t>(), std::filesystem::file_size(file));
  const nlohmann::json logo = json("metadata(image)", {image("opencv-logo.png")});
  EXPECT_EQ(logo["format"], "png");
  EXPECT_EQ(logo["alpha"], true);
  EXPECT_EQ(logo["bands"], 4);
  const auto deep =
      make("deep.png", "vips colourspace " + opencv_sample("graf1.png").string() + " OUT rgb16");
  EXPECT_EQ(json("metadata(image)", {put(deep, ValueType::kImage)})["bits"], 16);
}

TEST_F(ImageFunctions, ColourProfilesAreConvertedToSrgb) {
  const std::string source = opencv_sample("fruits.jpg").string();
  const Image original = read_pixels(source);
  for (const std::string profile : {"p3", "cmyk"}) {
    const auto file = make(profile + ".jpg", "vips icc_transform " + source + " OUT[Q=95] " +
                                                 profile + " --input-profile srgb");
    const Value picture = put(file, ValueType::kImage);
    const double whole = psnr(read_pixels(path_of(png(picture))), original);
    EXPECT_GT(whole, profile == "p3" ? 32 : 20) << profile;
    EXPECT_GT(psnr(thumbnail(picture, 128, 0), thumbnail(image("fruits.jpg"), 128, 0)),
              profile == "p3" ? 32 : 20)
        << profile;
  }
}

TEST_F(ImageFunctions, DigestAndSizeAreThoseOfTheFile) {
  const std::string file = opencv_sample("fruits.jpg").string();
  const Value picture = image("fruits.jpg");
  EXPECT_EQ(value("sha256(image)", {picture}).text, shell("sha256sum " + file + " | cut -c1-64"));
  EXPECT_EQ(value("size_bytes(image)", {picture}).integer, std::stoll(shell("stat -c %s " + file)));
}

int distance(const std::string& one, const std::string& other) {
  return std::popcount(std::stoull(one, nullptr, 16) ^ std::stoull(other, nullptr, 16));
}

TEST_F(ImageFunctions, PerceptualHashKnowsAPictureAgain) {
  std::vector<std::string> hashes;
  for (const std::string name :
       {"fruits.jpg", "baboon.jpg", "home.jpg", "aero1.jpg", "graf1.png"}) {
    const std::string source = opencv_sample(name).string();
    hashes.push_back(value("perceptual_hash(image)", {image(name)}).text);
    EXPECT_EQ(hashes.back().size(), 16U);
    const auto worse = make("worse.jpg", "vipsthumbnail " + source + " --size 150 -o OUT[Q=40]");
    EXPECT_LE(distance(value("perceptual_hash(image)", {put(worse, ValueType::kImage)}).text,
                       hashes.back()),
              8)
        << name;
  }
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) EXPECT_GE(distance(hashes[i], hashes[k]), 14);
  }
}

TEST_F(ImageFunctions, PerceptualHashIsTheDocumentedTransform) {
  // The pixels come from ffmpeg, the transform is written out in full.
  const std::string raw = shell_bytes("ffmpeg -v error -i " + opencv_sample("graf1.png").string() +
                                      " -vf scale=32:32:flags=lanczos+accurate_rnd,format=gray "
                                      "-f rawvideo -");
  ASSERT_EQ(raw.size(), 1024U);
  std::vector<double> low;
  for (int v = 0; v < 8; ++v) {
    for (int u = 0; u < 8; ++u) {
      double sum = 0;
      for (int y = 0; y < 32; ++y) {
        for (int x = 0; x < 32; ++x) {
          sum += static_cast<unsigned char>(raw[32 * y + x]) *
                 std::cos(M_PI * (2 * x + 1) * u / 64) * std::cos(M_PI * (2 * y + 1) * v / 64);
        }
      }
      low.push_back(sum);
    }
  }
  std::vector<double> sorted = low;
  std::sort(sorted.begin(), sorted.end());
  std::uint64_t bits = 0;
  for (const double value : low) {
    bits = bits << 1 | (value > (sorted[31] + sorted[32]) / 2 ? 1 : 0);
  }
  const std::string hash = value("perceptual_hash(image)", {image("graf1.png")}).text;
  EXPECT_LE(std::popcount(bits ^ std::stoull(hash, nullptr, 16)), 3) << hash;
}

TEST(Resample, AConstantImageStaysConstantAtEverySize) {
  Image image(97, 61, 3);
  std::fill_n(image.data(), image.size_bytes(), std::uint8_t{200});
  for (const ImageSize size : {ImageSize{1, 1}, {96, 60}, {7, 200}, {300, 9}, {97, 61}}) {
    const Image result = resample(image, size);
    ASSERT_EQ(result.width(), size.width);
    for (std::size_t i = 0; i < result.size_bytes(); ++i) ASSERT_EQ(result.data()[i], 200);
  }
}

TEST(Resample, AGradientIsNotShifted) {
  // The middle of a horizontal ramp must stay in the middle, whatever the box factor divides.
  Image image(1001, 8, 1);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 1001; ++x) image.row(y)[x] = static_cast<std::uint8_t>(x * 255 / 1000);
  }
  for (const int width : {17, 51, 99, 250, 499}) {
    const Image result = resample(image, {width, 2});
    for (int x = 2; x < width - 2; ++x) {
      EXPECT_NEAR(result.row(0)[x], ((x + 0.5) * 1001 / width - 0.5) * 255 / 1000, 1.5) << width;
    }
  }
}

TEST(Exif, DamagedDataGivesNothing) {
  EXPECT_EQ(exif_orientation(""), 1);
  EXPECT_EQ(exif_orientation(std::string_view("II*\0\xff\xff\xff\xff", 8)), 1);
  std::string loop("MM\0\x2a\0\0\0\x08\xff\xff", 10);
  loop += std::string(4000, '\x87');
  EXPECT_EQ(exif_orientation(loop), 1);
  EXPECT_TRUE(exif_facts(loop).empty());
}

TEST(Image, OrientationsUndoEachOther) {
  Image image(3, 2, 1);
  for (int i = 0; i < 6; ++i) image.data()[i] = static_cast<std::uint8_t>(i);
  for (const auto& [one, other] :
       {std::pair{2, 2}, {3, 3}, {4, 4}, {5, 5}, {6, 8}, {7, 7}, {8, 6}}) {
    const Image back = apply_orientation(apply_orientation(image.copy(), one), other);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(back.data()), 6),
              std::string("\0\1\2\3\4\5", 6))
        << one;
  }
  // 6 turns clockwise: the lower left pixel comes to the upper left corner.
  EXPECT_EQ(apply_orientation(image.copy(), 6).row(0)[0], 3);
}

}  // namespace
}  // namespace coppice::functions
