// Damaged, disguised and hostile files: every one costs a cell with a clear message, never the
// process and never its memory.
#include <sys/resource.h>

#include <array>
#include <cstdlib>
#include <map>
#include <random>

#include "functions/call.h"
#include "functions/test_media.h"
#include "workers/signature.h"

namespace coppice::functions {
namespace {

// A value that the parameter takes; for those behind the first of an iterator, the one that means
// "not given".
Value argument_for(const Signature& signature, std::size_t index) {
  const bool not_given = signature.is_iterator() && index > 1;
  switch (signature.parameters[index].type) {
    case ValueType::kInteger:
      if (signature.parameters[index].name == "rate") return integer(8000);
      return integer(not_given ? 0 : 8);
    case ValueType::kFloat:
      // A "stop" comes after its start; a level is under zero.
      return number(not_given                                     ? 0
                    : signature.parameters[index].name == "stop"  ? 0.9
                    : signature.parameters[index].name == "level" ? -50
                                                                  : 0.5);
    case ValueType::kBoolean:
      return boolean(false);
    case ValueType::kJson:
      return json_value("[]");
    default:
      break;
  }
  const std::string& function = signature.name;
  const std::map<std::string, std::string> texts = {
      {"format",
       function == "encode" && signature.parameters[0].type == ValueType::kImage ? "png" : "flac"},
      {"by", "page"},
      {"mode", function == "convert_mode" ? "rgb" : "fast"},
      {"direction", "vertical"},
      {"color", "red"},
      {"language", "eng"}};
  return text(texts.at(signature.parameters[index].name));
}

std::vector<Value> arguments_of(const Signature& signature, const Value& media) {
  std::vector<Value> arguments = {media};
  for (std::size_t i = 1; i < signature.parameters.size(); ++i) {
    const bool more_media = is_media(signature.parameters[i].type);
    arguments.push_back(more_media ? media : argument_for(signature, i));
  }
  return arguments;
}

// COPPICE_TEST_LONG: the full counts.
bool is_long() { return std::getenv("COPPICE_TEST_LONG") != nullptr; }

class BadInput : public MediaTest {
 protected:
  // Calls every function of the kind; what is not about the bytes alone must fail as "decode" or
  // "limit", with a message.
  void expect_all_fail(const Value& media, const std::string& what) {
    const std::string kind = sql_type_name(media.type);
    std::vector<Fragment> fragments;
    for (const Signature& signature : builtin_signatures()) {
      const bool about_bytes = signature.name == "mime_type" || signature.name == "size_bytes" ||
                               signature.name == "sha256";
      // Whether there are pages to draw is asked before the bytes are read.
      const bool has_no_pages = signature.name == "page_image";
      if (signature.parameters[0].type != media.type || about_bytes || has_no_pages) continue;
      check(call(signature.id, arguments_of(signature, media)), signature.id + " of " + what);
    }
    check(call("probe(" + kind + ")", {media}), "probe of " + what);
  }
  static void check(const Cell& cell, const std::string& what) {
    const auto* failure = std::get_if<CellFailure>(&cell);
    ASSERT_NE(failure, nullptr) << what << " gave " << std::get<Value>(cell).text;
    EXPECT_TRUE(failure->type == "decode" || failure->type == "limit")
        << what << ": " << failure->type << ": " << failure->message;
    EXPECT_GT(failure->message.size(), 20U) << what;
  }
};

constexpr std::array kKinds = {ValueType::kImage, ValueType::kVideo, ValueType::kAudio};

TEST_F(BadInput, ZeroBytes) {
  for (const ValueType kind : kKinds) {
    expect_all_fail(put_bytes("", "bin", kind), "zero bytes");
  }
  const Value empty = put_bytes("", "pdf", ValueType::kDocument);
  expect_all_fail(empty, "zero bytes");
  EXPECT_NE(failure("probe(document)", {empty}).message.find("zero bytes"), std::string::npos);
}

TEST_F(BadInput, RandomGarbage) {
  std::mt19937 random(20261122);
  for (const std::size_t size : {1, 10, 1000, 100'000, 700'000}) {
    std::string garbage(size, '\0');
    for (char& byte : garbage) byte = static_cast<char>(random());
    garbage[0] = '\0';  // never text by chance
    for (const std::string extension : {"bin", "jpg", "mp4", "mp3", "png", "h264"}) {
      // The quick set tries large ones under one name.
      if (size > 10'000 && extension != "mp3" && !is_long()) continue;
      for (const ValueType kind : kKinds) {
        expect_all_fail(put_bytes(garbage, extension, kind), "garbage." + extension);
      }
    }
    expect_all_fail(put_bytes(garbage, "txt", ValueType::kDocument), "garbage");
  }
}

TEST_F(BadInput, FilesOfAnotherKind) {
  // A PDF renamed to .mp4, a picture as a sound, a page as a picture, …
  const std::string pdf = read_file(pdf_sample());
  const std::string png = read_file(opencv_sample("graf1.png"));
  const std::string jpeg = read_file(opencv_sample("fruits.jpg"));
  const std::string html = "<!doctype html><html><body><p>Hello, world</p></body></html>";
  const std::string svg =
      "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>";
  const std::string plain(5000, 'x');
  for (const std::string* bytes : {&pdf, &html, &svg, &plain}) {
    for (const ValueType kind : kKinds) {
      for (const std::string extension : {"mp4", "jpg", "mp3", "txt"}) {
        expect_all_fail(put_bytes(*bytes, extension, kind), "a document as " + extension);
      }
    }
  }
  for (const std::string* bytes : {&png, &jpeg}) {
    for (const ValueType kind : {ValueType::kVideo, ValueType::kAudio}) {
      for (const std::string extension : {"mp4", "jpg", "png", "wav"}) {
        expect_all_fail(put_bytes(*bytes, extension, kind), "a picture as " + extension);
      }
    }
    expect_all_fail(put_bytes(*bytes, "txt", ValueType::kDocument), "a picture as a document");
  }
  const std::string wav = read_file(alsa_sample("Front_Center.wav"));
  expect_all_fail(put_bytes(wav, "wav", ValueType::kVideo), "a sound as a video");
  expect_all_fail(put_bytes(wav, "jpg", ValueType::kImage), "a sound as a picture");
  const std::string avi = read_file(opencv_sample("tree.avi"));
  expect_all_fail(put_bytes(avi, "avi", ValueType::kAudio), "a silent video as a sound");
}

TEST_F(BadInput, FilesThatNameOtherFilesOpenNone) {
  const std::string secret = opencv_sample("tree.avi").string();
  const std::string playlist =
      "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://" + secret + "\n#EXT-X-ENDLIST\n";
  const std::string list = "ffconcat version 1.0\nfile " + secret + "\n";
  for (const std::string extension : {"m3u8", "mp4", "ffconcat", "avi"}) {
    expect_all_fail(put_bytes(playlist, extension, ValueType::kVideo), "a playlist");
    expect_all_fail(put_bytes(list, extension, ValueType::kVideo), "a list");
  }
}

TEST_F(BadInput, TruncatedPictures) {
  const std::string source = opencv_sample("fruits.jpg").string();
  for (const std::string extension : {"jpg", "png", "webp", "gif", "tif", "avif"}) {
    const std::string whole = read_file(make("whole." + extension, "vips copy " + source + " OUT"));
    ASSERT_EQ(json("probe(image)", {put_bytes(whole, extension, ValueType::kImage)})["width"], 512);
    for (const double part : {0.001, 0.05, 0.3, 0.6, 0.9}) {
      const auto size = static_cast<std::size_t>(whole.size() * part);
      const Cell cell =
          call("probe(image)", {put_bytes(whole.substr(0, size), extension, ValueType::kImage)});
      check(cell, extension + " cut at " + std::to_string(part));
    }
  }
  const std::string jpeg = read_file(source);
  const CellFailure cut = failure(
      "probe(image)", {put_bytes(jpeg.substr(0, jpeg.size() / 2), "jpg", ValueType::kImage)});
  EXPECT_NE(cut.message.find("truncated"), std::string::npos) << cut.message;
  // A thumbnail of it must not pass either.
  EXPECT_EQ(failure("resize(image,bigint,bigint)",
                    {put_bytes(jpeg.substr(0, jpeg.size() / 2), "jpg", ValueType::kImage),
                     integer(64), integer(0)})
                .type,
            "decode");
  // What cameras leave between and behind the markers does no harm.
  EXPECT_EQ(json("probe(image)",
                 {put_bytes(jpeg + std::string(100, '\0'), "jpg", ValueType::kImage)})["width"],
            512);
}

TEST_F(BadInput, DamagedFilesNeverEndTheProcess) {
  std::mt19937 random(7);
  const auto damaged = [&](std::string bytes) {
    for (int i = 0; i < 30; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    return bytes;
  };
  const std::string video =
      read_file(make("short.mp4",
                     "ffmpeg -v error -f lavfi -i testsrc=d=1:s=128x96:r=10 -f lavfi -i "
                     "sine=d=1 OUT"));
  const std::string pdf = read_file(pdf_sample());
  const std::string png = read_file(opencv_sample("opencv-logo.png"));
  const std::string jpeg = read_file(opencv_sample("HappyFish.jpg"));
  for (int round = 0; round < (is_long() ? 60 : 3); ++round) {
    for (const auto& [bytes, extension, kind] : {std::tuple{&video, "mp4", ValueType::kVideo},
                                                 {&video, "mp4", ValueType::kAudio},
                                                 {&png, "png", ValueType::kImage},
                                                 {&jpeg, "jpg", ValueType::kImage},
                                                 {&pdf, "pdf", ValueType::kDocument}}) {
      const Value media = put_bytes(damaged(*bytes), extension, kind);
      for (const Signature& signature : builtin_signatures()) {
        if (signature.parameters[0].type != kind) continue;
        const Cell cell = call(signature.id, arguments_of(signature, media));
        if (const auto* failure = std::get_if<CellFailure>(&cell)) {
          EXPECT_NE(failure->type, "internal") << signature.id << ": " << failure->message;
        }
      }
    }
  }
}

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xedb88320U & (0U - (crc & 1)));
  }
  return ~crc;
}

std::string big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16),
          static_cast<char>(number >> 8), static_cast<char>(number)};
}

// kilobytes
std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST_F(BadInput, APictureOfAnEnormousSizeIsRefusedBeforeItTakesMemory) {
  std::string png = read_file(opencv_sample("graf1.png"));
  png.replace(16, 8, big_endian(40'000) + big_endian(40'000));
  png.replace(29, 4, big_endian(crc32(png.substr(12, 17))));
  const Value picture = put_bytes(png, "png", ValueType::kImage);
  EXPECT_EQ(value("width(image)", {picture}).integer, 40'000);  // the header is read, no pixels
  const std::int64_t before = peak_memory();
  for (const std::string id : {"probe(image)", "grayscale(image)", "perceptual_hash(image)"}) {
    const CellFailure refused = failure(id, {picture});
    EXPECT_EQ(refused.type, "limit");
    EXPECT_NE(refused.message.find("40000 x 40000"), std::string::npos) << refused.message;
    EXPECT_NE(refused.message.find("media.max_pixels"), std::string::npos) << refused.message;
    EXPECT_EQ(refused.message.find("probe"), std::string::npos) << "nobody has called that";
  }
  EXPECT_EQ(failure("resize(image,bigint,bigint)", {picture, integer(64), integer(64)}).type,
            "limit");
  EXPECT_LT(peak_memory() - before, 50'000);
}

TEST_F(BadInput, ThePixelLimitIsThatOfTheEnvironment) {
  const Value picture = put(opencv_sample("fruits.jpg"), ValueType::kImage);
  ::setenv("COPPICE_MAX_PIXELS", "245759", 1);  // 512 x 480 less one
  MediaEvaluator strict;
  ::unsetenv("COPPICE_MAX_PIXELS");
  strict.open(store_.folder());
  const Cell cell = strict.evaluate_row({call_of("probe(image)", {argument(0)})}, {picture})[0];
  ASSERT_TRUE(std::holds_alternative<CellFailure>(cell));
  EXPECT_EQ(std::get<CellFailure>(cell).type, "limit");
  EXPECT_EQ(json("probe(image)", {picture})["height"], 480);
}

}  // namespace
}  // namespace coppice::functions
