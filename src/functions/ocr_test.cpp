// ocr against the program tesseract, in the process and in the real worker behind its walls.
#include <fmt/core.h>

#include "base/text.h"
#include "functions/test_media.h"
#include "workers/process_pool.h"

namespace coppice::functions {
namespace {

const std::string kOcr = "ocr(image,text)";

class Ocr : public MediaTest {
 protected:
  // Black letters on white.
  Value picture(const std::string& words, const std::string& name = "words.png") {
    return put(
        make(name, "vips text OUT --dpi 200 --font 'DejaVu Sans 12' \"" + words +
                       "\" && vips invert " + scratch(name).string() + " " +
                       scratch("inverted.png").string() + " && vips embed " +
                       scratch("inverted.png").string() + " OUT 40 40 900 300 --extend white"),
        ValueType::kImage);
  }
};

TEST_F(Ocr, ReadsWhatTheProgramReads) {
  const auto page =
      make("page.png", "pdftoppm -png -r 150 -f 4 -l 4 -gray " + pdf_sample().string() + " > OUT");
  const std::string theirs =
      shell("OMP_THREAD_LIMIT=1 tesseract " + page.string() + " - 2>/dev/null");
  const std::string ours = value(kOcr, {put(page, ValueType::kImage), text("eng")}).text;
  EXPECT_GT(ours.size(), 500U);
  // The program is told the page's resolution by the file, which moves white space.
  std::string ours_letters;
  std::string their_letters;
  for (const char c : ours) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) ours_letters += c;
  }
  for (const char c : theirs) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) their_letters += c;
  }
  EXPECT_EQ(ours_letters, their_letters);
}

TEST_F(Ocr, ReadsWordsAgainTheSameWayWhateverCameBefore) {
  const Value words = picture("Coppice grows back\nfrom its root");
  const std::string first = value(kOcr, {words, text("eng")}).text;
  EXPECT_EQ(first, "Coppice grows back\nfrom its root");
  value(kOcr, {picture("1lI0O 5S 8B", "hard.png"), text("eng")});
  EXPECT_EQ(value(kOcr, {words, text("eng")}).text, first);
  const Value blank = put(make("blank.png", "vips black OUT 200 100"), ValueType::kImage);
  EXPECT_EQ(value(kOcr, {blank, text("eng")}).text, "");
}

TEST_F(Ocr, ALanguageWithoutDataNamesItsPackage) {
  const Value words = picture("x");
  const CellFailure missing = failure(kOcr, {words, text("eng+chi_tra_vert_x")});
  EXPECT_EQ(missing.type, "unsupported");
  EXPECT_NE(missing.message.find("install the package tesseract-ocr-chi-tra-vert-x"),
            std::string::npos)
      << missing.message;
  for (const std::string bad : {"", "../eng", "eng+", "script/Latin", "eng deu"}) {
    EXPECT_EQ(failure(kOcr, {words, text(bad)}).type, "range") << bad;
  }
}

TEST_F(Ocr, TheRealWorkerReadsBehindItsWalls) {
  ProcessPoolOptions options;
  options.argv = {COPPICE_MEDIA};
  options.worker_count = 1;
  options.media_folder = store_.folder();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // A sanitizer's shadow memory does not fit into any limit.
  options.memory_limit_bytes = std::uint64_t{2} << 30;
#endif
  Batch batch;
  batch.row_count = 1;
  batch.arguments = {{picture("Behind walls")}, {text("eng")}};
  ProcessPool pool(options);
  const BatchResult result = pool.evaluate({call_of(kOcr, {argument(0), argument(1)})}, batch, {});
  const Cell& cell = result.at(0).at(0);
  const auto* failed = std::get_if<CellFailure>(&cell);
  ASSERT_EQ(failed, nullptr) << failed->type << ": " << failed->message;
  EXPECT_EQ(std::get<Value>(cell).text, "Behind walls");
}

}  // namespace
}  // namespace coppice::functions
