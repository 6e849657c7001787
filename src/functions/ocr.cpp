#include "functions/ocr.h"

#include <fmt/core.h>
#include <tesseract/capi.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/text.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

// Where Debian puts what tesseract-ocr-<code> holds; TESSDATA_PREFIX is not asked, so that a result
// depends on the machine's packages alone.
constexpr const char* kDataFolder = "/usr/share/tesseract-ocr/5/tessdata";
constexpr int kLongestSide = 32767;

struct FreeTesseract {
  void operator()(TessBaseAPI* engine) const {
    TessBaseAPIEnd(engine);
    TessBaseAPIDelete(engine);
  }
  void operator()(char* text) const { TessDeleteText(text); }
};

// "chi_sim", "script/Latin" has no place here: letters, digits and _ only.
void check_language(const std::string& code) {
  const bool valid =
      !code.empty() && code.size() <= 32 && std::all_of(code.begin(), code.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
      });
  if (!valid) {
    throw FunctionFailure("range", fmt::format("\"{}\" is no code of a language: give one such as "
                                               "eng, or several as deu+eng",
                                               code));
  }
  const std::string file = fmt::format("{}/{}.traineddata", kDataFolder, code);
  std::error_code problem;
  if (!std::filesystem::exists(file, problem)) {
    std::string package = lower(code);
    std::replace(package.begin(), package.end(), '_', '-');
    throw FunctionFailure("unsupported", fmt::format("there are no data for the language \"{}\": "
                                                     "install the package tesseract-ocr-{}",
                                                     code, package));
  }
}

class Engine {
 public:
  explicit Engine(const std::string& language) : language_(language), engine_(TessBaseAPICreate()) {
    // Its remarks would go to standard error, one for each picture.
    TessBaseAPISetVariable(engine_.get(), "debug_file", "/dev/null");
    if (TessBaseAPIInit3(engine_.get(), kDataFolder, language.c_str()) != 0) {
      throw FunctionFailure("unsupported", fmt::format("the data of the language \"{}\" cannot be "
                                                       "loaded: install its package again",
                                                       language));
    }
    TessBaseAPISetPageSegMode(engine_.get(), tesseract::PSM_AUTO);
  }

  const std::string& language() const { return language_; }

  std::string read(const Image& image) {
    // What it learnt from the last picture would change the next one's text.
    TessBaseAPIClearAdaptiveClassifier(engine_.get());
    TessBaseAPISetImage(engine_.get(), image.data(), image.width(), image.height(), image.bands(),
                        static_cast<int>(image.row_bytes()));
    const std::unique_ptr<char, FreeTesseract> text(TessBaseAPIGetUTF8Text(engine_.get()));
    TessBaseAPIClear(engine_.get());
    if (!text) throw FunctionFailure("decode", "the picture cannot be read");
    return std::string(trim(text.get()));
  }

 private:
  std::string language_;
  std::unique_ptr<TessBaseAPI, FreeTesseract> engine_;
};

}  // namespace

std::string read_text_on(const Image& image, const std::string& language) {
  for (const std::string& code : split(language, '+')) check_language(code);
  if (image.width() > kLongestSide || image.height() > kLongestSide) {
    throw FunctionFailure("limit", fmt::format("{} x {} pixels: a side may have {} for ocr; resize "
                                               "it or cut it into tiles",
                                               image.width(), image.height(), kLongestSide));
  }
  thread_local std::optional<Engine> engine;
  if (!engine || engine->language() != language) {
    engine.reset();
    engine.emplace(language);
  }
  return engine->read(image.has_alpha() ? flatten(image) : image.copy());
}

}  // namespace coppice::functions
