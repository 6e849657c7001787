#include "functions/test_media.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"

namespace coppice::functions {
namespace {

std::filesystem::path existing(const std::filesystem::path& file, const std::string& package) {
  if (!std::filesystem::exists(file)) {
    throw Error(ErrorCode::kNotFound, file.string() + " is not there",
                "install the package " + package);
  }
  return file;
}

RunResult run_shell(const std::string& command) {
  ChildOptions options;
  options.argv = {"sh", "-c", command};
  RunResult result =
      run_program(std::move(options), std::chrono::seconds(120), std::size_t{1} << 30);
  if (!result.status.ok()) {
    throw Error(ErrorCode::kInternal, command + " failed: " + result.errors);
  }
  return result;
}

}  // namespace

std::filesystem::path opencv_sample(const std::string& name) {
  return existing("/usr/share/doc/opencv-doc/examples/data/" + name, "opencv-doc");
}

std::filesystem::path alsa_sample(const std::string& name) {
  return existing("/usr/share/sounds/alsa/" + name, "alsa-utils");
}

std::filesystem::path pdf_sample() {
  return existing("/usr/share/doc/shared-mime-info/shared-mime-info-spec.pdf", "shared-mime-info");
}

std::string shell(const std::string& command) {
  return std::string(trim(run_shell(command).output));
}

std::string shell_bytes(const std::string& command) { return run_shell(command).output; }

Value integer(std::int64_t number) {
  Value value;
  value.type = ValueType::kInteger;
  value.integer = number;
  return value;
}

Value number(double number) {
  Value value;
  value.type = ValueType::kFloat;
  value.number = number;
  return value;
}

Value text(const std::string& text) {
  Value value;
  value.type = ValueType::kText;
  value.text = text;
  return value;
}

Value boolean(bool truth) {
  Value value;
  value.type = ValueType::kBoolean;
  value.boolean = truth;
  return value;
}

Value json_value(const std::string& text) {
  Value value;
  value.type = ValueType::kJson;
  value.text = text;
  return value;
}

Value null_value() { return {}; }

Fragment argument(int index) {
  Fragment fragment;
  fragment.argument = index;
  return fragment;
}

Fragment call_of(const std::string& id, std::vector<Fragment> children) {
  Fragment fragment;
  fragment.function = id;
  fragment.children = std::move(children);
  return fragment;
}

Image read_pixels(const std::filesystem::path& file, int bands) {
  // PAM: a header of a few lines with the size, then the pixels.
  const std::string format = bands == 1 ? "gray" : bands == 3 ? "rgb24" : "rgba";
  const std::string bytes =
      shell_bytes("ffmpeg -v error -i " + file.string() +
                  " -frames:v 1 -f image2pipe -c:v pam -pix_fmt " + format + " -");
  const std::string end = "ENDHDR\n";
  const std::size_t pixels = bytes.find(end) + end.size();
  int width = 0;
  int height = 0;
  int depth = 0;
  EXPECT_EQ(
      std::sscanf(bytes.c_str(), "P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\n", &width, &height, &depth), 3)
      << file;
  EXPECT_EQ(depth, bands) << file;
  Image image(width, height, bands);
  EXPECT_EQ(bytes.size() - pixels, image.size_bytes()) << file;
  std::memcpy(image.data(), bytes.data() + pixels,
              std::min(bytes.size() - pixels, image.size_bytes()));
  return image;
}

double psnr(const Image& one, const Image& other) {
  EXPECT_EQ(one.width(), other.width());
  EXPECT_EQ(one.height(), other.height());
  if (one.size_bytes() != other.size_bytes()) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < one.size_bytes(); ++i) {
    const double difference = static_cast<double>(one.data()[i]) - other.data()[i];
    sum += difference * difference;
  }
  return sum == 0 ? 100 : 10 * std::log10(255.0 * 255.0 * one.size_bytes() / sum);
}

MediaTest::MediaTest()
    : folder_(std::filesystem::temp_directory_path(), "functions"),
      store_(folder_.path() / "media") {
  evaluator_.open(store_.folder());
}

Value MediaTest::put(const std::filesystem::path& file, ValueType type) {
  Value value;
  value.type = type;
  value.text = store_.put_file(file, lower(file.extension().string()).substr(1), false).text();
  return value;
}

Value MediaTest::put_bytes(std::string_view bytes, const std::string& extension, ValueType type) {
  Value value;
  value.type = type;
  value.text = store_.put_bytes(bytes, extension).text();
  return value;
}

std::filesystem::path MediaTest::path_of(const Cell& cell) {
  const auto* value = std::get_if<Value>(&cell);
  const auto name = value == nullptr ? std::nullopt : MediaName::parse(value->text);
  if (!name) throw Error(ErrorCode::kInternal, "the cell is no media value");
  return store_.path_of(*name);
}

std::filesystem::path MediaTest::object(const std::string& name) const {
  const auto parsed = MediaName::parse(name);
  if (!parsed) throw Error(ErrorCode::kInternal, "\"" + name + "\" names no object");
  return store_.find(*parsed);
}

Cell MediaTest::call(const std::string& id, std::vector<Value> arguments) {
  std::vector<Fragment> children;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    children.push_back(argument(static_cast<int>(i)));
  }
  return evaluator_.evaluate_row({call_of(id, children)}, arguments).at(0);
}

Value MediaTest::value(const std::string& id, std::vector<Value> arguments) {
  const Cell cell = call(id, std::move(arguments));
  if (const auto* failure = std::get_if<CellFailure>(&cell)) {
    ADD_FAILURE() << id << " failed: " << failure->type << ": " << failure->message;
    return {};
  }
  return std::get<Value>(cell);
}

nlohmann::json MediaTest::json(const std::string& id, std::vector<Value> arguments) {
  const Value result = value(id, std::move(arguments));
  EXPECT_EQ(result.type, ValueType::kJson);
  return nlohmann::json::parse(result.text, nullptr, false);
}

CellFailure MediaTest::failure(const std::string& id, std::vector<Value> arguments) {
  const Cell cell = call(id, std::move(arguments));
  if (const auto* failure = std::get_if<CellFailure>(&cell)) return *failure;
  ADD_FAILURE() << id << " gave a value: " << std::get<Value>(cell).text;
  return {};
}

std::size_t MediaTest::stored_count() const {
  std::size_t count = 0;
  store_.for_each([&](const MediaName&, std::uintmax_t, std::int64_t) { ++count; });
  return count;
}

std::filesystem::path MediaTest::make(const std::string& name, std::string command) const {
  const std::filesystem::path file = scratch(name);
  for (std::size_t at = command.find("OUT"); at != std::string::npos;
       at = command.find("OUT", at + file.string().size())) {
    command.replace(at, 3, file.string());
  }
  shell(command);
  return file;
}

}  // namespace coppice::functions
