// The built-in functions that change pictures, say what their pixels are like, and reckon with
// boxes.
//
// Units    Pixels; factors, where 1 changes nothing; colours as #rrggbb or by name. A box is a JSON
//          array [left, top, right, bottom] in pixels.
// Errors   As in builtin_signatures.cpp.
#include "workers/builtin_tables.h"

namespace coppice {
namespace {

using enum ValueType;

const Parameter& image() {
  static const Parameter parameter = {"image", kImage, {}};
  return parameter;
}

void add_geometry(std::vector<Signature>& table) {
  table.push_back(builtin_function("flip", {image(), {"direction", kText, "'horizontal'"}}, kImage,
                                   "mirrored: horizontal swaps left and right, vertical top and "
                                   "bottom"));
  table.push_back(builtin_function(
      "fit", {image(), {"width", kInteger, {}}, {"height", kInteger, {}}}, kImage,
      "exactly that size: scaled until it covers it, what stands out cut off evenly"));
  table.push_back(builtin_function(
      "pad",
      {image(), {"width", kInteger, {}}, {"height", kInteger, {}}, {"color", kText, "'black'"}},
      kImage,
      "exactly that size: the whole image scaled to fit in, on a "
      "ground of that colour"));
  table.push_back(builtin_function("paste",
                                   {image(),
                                    {"top_image", kImage, {}},
                                    {"left", kInteger, "0"},
                                    {"top", kInteger, "0"},
                                    {"opacity", kFloat, "1"}},
                                   kImage,
                                   "the second image laid on the first with its upper left corner "
                                   "there, by its alpha times opacity"));
}

void add_colours(std::vector<Signature>& table) {
  const Parameter factor = {"factor", kFloat, {}};
  table.push_back(builtin_function("blur", {image(), {"sigma", kFloat, {}}}, kImage,
                                   "blurred by a Gaussian of sigma pixels, 0.1 to 200"));
  table.push_back(builtin_function(
      "sharpen", {image(), {"amount", kFloat, "1"}, {"sigma", kFloat, "1"}}, kImage,
      "unsharp mask: amount (0 to 10) times what a blur of sigma pixels takes away is added"));
  table.push_back(builtin_function("brightness", {image(), factor}, kImage,
                                   "every value times factor, 0 to 100"));
  table.push_back(builtin_function("contrast", {image(), factor}, kImage,
                                   "every value's distance from 128 times factor, 0 to 100"));
  table.push_back(builtin_function("saturation", {image(), factor}, kImage,
                                   "every colour's distance from its grey times factor, 0 to 100"));
  table.push_back(builtin_function("convert_mode", {image(), {"mode", kText, {}}}, kImage,
                                   "as grey, rgb or rgba; alpha that goes is laid on white"));
}

void add_statistics(std::vector<Signature>& table) {
  table.push_back(builtin_function("histogram", {image()}, kJson,
                                   "how many pixels have each of 256 values, one array a band"));
  table.push_back(builtin_function("entropy", {image()}, kFloat,
                                   "of the grey values, in bits: 0 for one value, at most 8"));
  table.push_back(builtin_function("sharpness", {image()}, kFloat,
                                   "variance of the Laplacian of the grey image: low when it is "
                                   "blurred"));
  table.push_back(
      builtin_function("mean_color", {image()}, kJson, "the mean of each colour band, 0 to 255"));
  table.push_back(
      builtin_function("dominant_colors", {image(), {"count", kInteger, "5"}}, kJson,
                       "up to count colours (median cut) with their share, most "
                       "frequent first: [{\"color\": \"#rrggbb\", \"share\": 0.4}, …]"));
  table.push_back(
      builtin_function("pixel", {image(), {"left", kInteger, {}}, {"top", kInteger, {}}}, kJson,
                       "the values of one pixel, an array with one a band, alpha last"));
}

void add_boxes(std::vector<Signature>& table) {
  const Parameter boxes = {"boxes", kJson, {}};
  table.push_back(builtin_function(
      "box_convert", {boxes, {"given", kText, {}}, {"wanted", kText, {}}}, kJson,
      "one box or an array of them from one form to another: xyxy, xywh or cxcywh"));
  table.push_back(
      builtin_function("box_scale", {boxes, {"across", kFloat, {}}, {"down", kFloat, {}}}, kJson,
                       "one box or an array of them for an image scaled by these factors"));
  table.push_back(
      builtin_function("box_clip", {boxes, {"width", kInteger, {}}, {"height", kInteger, {}}},
                       kJson, "one box or an array of them cut to an image of that size"));
  table.push_back(builtin_function("box_iou", {{"one", kJson, {}}, {"other", kJson, {}}}, kFloat,
                                   "intersection over union of two boxes, 0 to 1"));
  table.push_back(builtin_function(
      "draw_boxes", {image(), boxes, {"color", kText, "'red'"}, {"thickness", kInteger, "3"}},
      kImage, "the image with frames along the inside of the boxes"));
}

}  // namespace

void add_image_filters(std::vector<Signature>& table) {
  add_geometry(table);
  add_colours(table);
  add_statistics(table);
  add_boxes(table);
}

}  // namespace coppice
