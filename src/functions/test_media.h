// test_media: real media for tests, calls of engine functions on them, and other programs' answers.
//
// Model    Samples come from Debian packages (opencv-doc, alsa-utils, shared-mime-info) or are made
//          from those by ffmpeg and vips. What a function gives is compared with what an
//          independent program says of the same file.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/files.h"
#include "functions/evaluator.h"
#include "functions/image.h"
#include "media/store.h"
#include "workers/value.h"

namespace coppice::functions {

// Samples of packages.
std::filesystem::path opencv_sample(const std::string& name);  // "fruits.jpg", "vtest.avi"
std::filesystem::path alsa_sample(const std::string& name);    // "Front_Center.wav"
std::filesystem::path pdf_sample();

// Runs a shell command; fails the test when it fails. Gives what it prints, trimmed.
std::string shell(const std::string& command);
// Without trimming: raw pixels or samples.
std::string shell_bytes(const std::string& command);

Value integer(std::int64_t number);
Value number(double number);
Value text(const std::string& text);
Value boolean(bool truth);
Value json_value(const std::string& text);
Value null_value();
Fragment argument(int index);
Fragment call_of(const std::string& id, std::vector<Fragment> children);

// The size of a file as another program decodes it, and how alike two such are.
Image read_pixels(const std::filesystem::path& file, int bands = 3);
double psnr(const Image& one, const Image& other);

class MediaTest : public ::testing::Test {
 protected:
  MediaTest();

  // Puts a file into the store as a value of that type.
  Value put(const std::filesystem::path& file, ValueType type);
  Value put_bytes(std::string_view bytes, const std::string& extension, ValueType type);
  std::filesystem::path path_of(const Cell& cell);
  // Of an object that a row of an iterator names.
  std::filesystem::path object(const std::string& name) const;

  // Calls one function on values.
  Cell call(const std::string& id, std::vector<Value> arguments);
  // The same, and the call must succeed.
  Value value(const std::string& id, std::vector<Value> arguments);
  nlohmann::json json(const std::string& id, std::vector<Value> arguments);
  // The same, and the call must fail.
  CellFailure failure(const std::string& id, std::vector<Value> arguments);

  std::size_t stored_count() const;

  // Where a test makes its own samples.
  std::filesystem::path scratch(const std::string& name) const { return folder_.path() / name; }
  // Makes a sample with a command in which OUT is its path.
  std::filesystem::path make(const std::string& name, std::string command) const;

  ScratchFolder folder_;
  MediaStore store_;
  MediaEvaluator evaluator_;
};

}  // namespace coppice::functions
