// ocr: the text on a picture, by Tesseract.
//
// Model    The engine of a language is loaded once and kept for the next picture; a picture's text
//          does not depend on those before it. Languages are Tesseract's codes, joined by "+":
//          "eng", "deu+eng"; their data are Debian's packages tesseract-ocr-<code>.
// Units    Text is UTF-8, a line a line, blocks separated by an empty line; empty when there is
//          none to be seen. Letters should be 20 pixels high or more.
// Errors   FunctionFailure "unsupported" for a language without data, with the package to install;
//          "range" for what is no name of a language; "limit" for a side over 32767 pixels.
// Threads  One engine a thread; Tesseract runs with one thread (OMP_THREAD_LIMIT, set by main).
#pragma once

#include <string>

#include "functions/image.h"

namespace coppice::functions {

std::string read_text_on(const Image& image, const std::string& language);

}  // namespace coppice::functions
