#include "functions/pdf.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "functions/failure.h"

namespace coppice::functions {
namespace {

std::map<std::string, std::string> parse_facts(const std::string& output) {
  std::map<std::string, std::string> facts;
  for (const std::string& line : split(output, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string_view value = trim(std::string_view(line).substr(colon + 1));
    if (!value.empty() && !first_invalid_utf8(value)) facts[line.substr(0, colon)] = value;
  }
  return facts;
}

// "Page    1 size: 595.28 x 841.89 pts (A4)" -> points.
bool parse_page_size(const std::map<std::string, std::string>& facts, double& width,
                     double& height) {
  for (const auto& [name, value] : facts) {
    if (name.starts_with("Page") && name.ends_with("size") &&
        std::sscanf(value.c_str(), "%lf x %lf", &width, &height) == 2) {
      return true;
    }
  }
  return false;
}

// A process may lower its limit for a child, never raise it.
std::uint64_t own_memory_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0) throw_errno("read the memory limit");
  return limit.rlim_max;
}

[[noreturn]] void fail_with(const RunResult& result, const std::string& program) {
  const std::string reason(trim(result.errors));
  if (reason.find("Incorrect password") != std::string::npos) {
    throw FunctionFailure("decode", "the PDF is encrypted: store a copy without a password");
  }
  if (result.status.signal != 0) {
    throw FunctionFailure("decode", fmt::format("{} was ended by signal {}: the PDF is damaged or "
                                                "needs more memory than allowed",
                                                program, result.status.signal));
  }
  throw FunctionFailure(
      "decode", fmt::format("the PDF cannot be read: {}", reason.substr(0, reason.find('\n'))));
}

// "P6\n<width> <height>\n255\n" and the pixels.
Image parse_ppm(const std::string& ppm) {
  int width = 0;
  int height = 0;
  int header_bytes = 0;
  if (std::sscanf(ppm.c_str(), "P6 %d %d 255%n", &width, &height, &header_bytes) != 2 ||
      header_bytes == 0 || width < 1 || height < 1) {
    throw FunctionFailure("decode", "the page could not be drawn");
  }
  Image image(width, height, 3);
  const std::size_t begin = static_cast<std::size_t>(header_bytes) + 1;
  if (ppm.size() != begin + image.size_bytes()) {
    throw FunctionFailure("decode", "the page could not be drawn completely");
  }
  std::memcpy(image.data(), ppm.data() + begin, image.size_bytes());
  image.set_lossless(true);
  return image;
}

}  // namespace

Pdf::Pdf(std::filesystem::path file, const Limits& limits)
    : file_(std::move(file)), limits_(limits) {}

std::string Pdf::run(const std::string& program, std::initializer_list<std::string> options,
                     std::uint64_t limit_bytes) const {
  ChildOptions child;
  child.argv = {program};
  child.argv.insert(child.argv.end(), options);
  child.clear_environment = true;
  child.no_network = true;
  child.memory_limit_bytes = std::min(limits_.document_memory_bytes, own_memory_limit());
  RunResult result;
  try {
    // One byte more than allowed tells that the output was cut.
    result = run_program(std::move(child), limits_.document_timeout, limit_bytes + 1);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    throw FunctionFailure("unsupported",
                          program + " is not installed: install the package poppler-utils");
  }
  if (result.timed_out) {
    throw FunctionFailure("timeout", fmt::format("{} did not finish within {} seconds", program,
                                                 limits_.document_timeout.count() / 1000));
  }
  if (!result.status.ok()) fail_with(result, program);
  if (result.output.size() > limit_bytes) {
    throw FunctionFailure("limit",
                          fmt::format("{} printed more than {} bytes", program, limit_bytes));
  }
  return std::move(result.output);
}

const std::map<std::string, std::string>& Pdf::facts() {
  if (facts_.empty()) {
    facts_ = parse_facts(
        run("pdfinfo", {"-isodates", "-enc", "UTF-8", file_.string()}, std::uint64_t{1} << 20));
  }
  return facts_;
}

std::int64_t Pdf::page_count() {
  const auto found = facts().find("Pages");
  const std::int64_t count = found == facts_.end() ? 0 : std::atoll(found->second.c_str());
  if (count < 1) throw FunctionFailure("decode", "the PDF has no pages");
  return count;
}

std::string Pdf::text() {
  std::string text =
      run("pdftotext", {"-enc", "UTF-8", file_.string(), "-"}, limits_.max_text_bytes);
  std::erase(text, '\0');  // no text of SQL may hold it
  return text;
}

std::string Pdf::layout() {
  return run("pdftotext", {"-bbox-layout", "-enc", "UTF-8", file_.string(), "-"},
             8 * limits_.max_text_bytes);
}

std::vector<PdfPage> Pdf::pages() {
  std::vector<PdfPage> pages(static_cast<std::size_t>(page_count()));
  // "Page    3 size: 612 x 792 pts (letter)", "Page    3 rot: 90"; pdfinfo stops at the last page.
  const std::string sizes = run("pdfinfo", {"-f", "1", "-l", "2000000000", file_.string()},
                                (std::uint64_t{1} << 20) + 256 * pages.size());
  for (const std::string& line : split(sizes, '\n')) {
    unsigned long number = 0;  // NOLINT(google-runtime-int): of sscanf
    double width = 0;
    double height = 0;
    int turn = 0;
    if (std::sscanf(line.c_str(), "Page %lu size: %lf x %lf", &number, &width, &height) == 3 &&
        number >= 1 && number <= pages.size()) {
      pages[number - 1].width_points = width;
      pages[number - 1].height_points = height;
    } else if (std::sscanf(line.c_str(), "Page %lu rot: %d", &number, &turn) == 2 && number >= 1 &&
               number <= pages.size() && turn % 180 != 0) {
      std::swap(pages[number - 1].width_points, pages[number - 1].height_points);
    }
  }
  const std::vector<std::string> texts = split(text(), '\f');  // the last one ends with it, too
  if (texts.size() == pages.size() + 1) {
    for (std::size_t i = 0; i < pages.size(); ++i) pages[i].text = texts[i];
    return pages;
  }
  // A form feed within a page: each page by itself.
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    pages[i].text = run(
        "pdftotext", {"-f", number, "-l", number, "-nopgbrk", "-enc", "UTF-8", file_.string(), "-"},
        limits_.max_text_bytes);
    std::erase(pages[i].text, '\0');
  }
  return pages;
}

Image Pdf::page_image(std::int64_t page, std::int64_t dpi) {
  const std::string number = std::to_string(page);
  // The size comes first: a page may claim to be of any size, and drawing it takes memory.
  const auto size_facts = parse_facts(
      run("pdfinfo", {"-f", number, "-l", number, file_.string()}, std::uint64_t{1} << 20));
  double width_points = 0;
  double height_points = 0;
  if (!parse_page_size(size_facts, width_points, height_points)) {
    throw FunctionFailure("decode", fmt::format("page {} has no size", page));
  }
  const auto pixels = [dpi](double points) {
    return static_cast<std::int64_t>(std::min(1e12, std::ceil(points * dpi / 72)));
  };
  const std::int64_t width = pixels(width_points);
  const std::int64_t height = pixels(height_points);
  limits_.check_pixels(width, height);
  constexpr std::uint64_t kHeaderBytes = 64;
  // A rotated page has its sides exchanged, and rounding may add a pixel to each.
  const std::uint64_t most_bytes =
      static_cast<std::uint64_t>(width + 2) * static_cast<std::uint64_t>(height + 2) * 3;
  return parse_ppm(run("pdftoppm",
                       {"-r", std::to_string(dpi), "-f", number, "-l", number, file_.string()},
                       most_bytes + kHeaderBytes));
}

}  // namespace coppice::functions
