// The engine functions of boxes: rectangles as JSON arrays, one [a, b, c, d] or an array of such.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "functions/call.h"
#include "functions/failure.h"
#include "functions/image_filters.h"

namespace coppice::functions {
namespace {

using Box = std::array<double, 4>;

[[noreturn]] void fail_box(const nlohmann::json& found) {
  throw FunctionFailure("range", fmt::format("{} is no box: a box is an array of four numbers",
                                             found.dump().substr(0, 100)));
}

Box box_of(const nlohmann::json& json) {
  if (!json.is_array() || json.size() != 4) fail_box(json);
  Box box{};
  for (std::size_t i = 0; i < 4; ++i) {
    if (!json[i].is_number() || !std::isfinite(json[i].get<double>())) fail_box(json);
    box[i] = json[i].get<double>();
  }
  return box;
}

bool is_list(const nlohmann::json& json) {
  return json.is_array() && (json.empty() || json[0].is_array());
}

std::vector<Box> boxes_of(const nlohmann::json& json) {
  if (!is_list(json)) return {box_of(json)};
  std::vector<Box> boxes;
  for (const nlohmann::json& item : json) boxes.push_back(box_of(item));
  return boxes;
}

// One box in gives one out, an array of them an array.
template <typename Change>
Operand change_boxes(const nlohmann::json& json, Change change) {
  if (!is_list(json)) return give_json(change(box_of(json)));
  nlohmann::json result = nlohmann::json::array();
  for (const Box& box : boxes_of(json)) result.push_back(change(box));
  return give_json(result);
}

// To and from [left, top, right, bottom].
Box to_corners(const Box& box, const std::string& format) {
  if (format == "xyxy") return box;
  if (format == "xywh") return {box[0], box[1], box[0] + box[2], box[1] + box[3]};
  return {box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2};
}

Box from_corners(const Box& box, const std::string& format) {
  const double width = box[2] - box[0];
  const double height = box[3] - box[1];
  if (format == "xyxy") return box;
  if (format == "xywh") return {box[0], box[1], width, height};
  return {box[0] + width / 2, box[1] + height / 2, width, height};
}

std::string checked_format(const std::string& format) {
  const std::string known = lower(format);
  if (known != "xyxy" && known != "xywh" && known != "cxcywh") {
    throw FunctionFailure("range", fmt::format("format is \"{}\": it is xyxy (left, top, right, "
                                               "bottom), xywh (left, top, width, height) or cxcywh "
                                               "(centre, width, height)",
                                               format));
  }
  return known;
}

Operand box_convert(const Call& call) {
  const std::string from = checked_format(call.text(1));
  const std::string to = checked_format(call.text(2));
  return change_boxes(call.json(0),
                      [&](const Box& box) { return from_corners(to_corners(box, from), to); });
}

Operand box_scale(const Call& call) {
  const double across = call.number(1);
  const double down = call.number(2);
  if (!std::isfinite(across) || !std::isfinite(down)) {
    throw FunctionFailure("range", "boxes cannot be scaled by what is not finite");
  }
  return change_boxes(call.json(0), [&](const Box& box) {
    return Box{box[0] * across, box[1] * down, box[2] * across, box[3] * down};
  });
}

Operand box_clip(const Call& call) {
  const double width = static_cast<double>(call.integer(1));
  const double height = static_cast<double>(call.integer(2));
  if (width < 0 || height < 0) {
    throw FunctionFailure("range", fmt::format("there is no canvas of {} x {}", width, height));
  }
  return change_boxes(call.json(0), [&](const Box& box) {
    return Box{std::clamp(box[0], 0.0, width), std::clamp(box[1], 0.0, height),
               std::clamp(box[2], 0.0, width), std::clamp(box[3], 0.0, height)};
  });
}

double area_of(const Box& box) {
  return std::max(0.0, box[2] - box[0]) * std::max(0.0, box[3] - box[1]);
}

Operand box_iou(const Call& call) {
  const Box one = box_of(call.json(0));
  const Box other = box_of(call.json(1));
  const double shared = area_of({std::max(one[0], other[0]), std::max(one[1], other[1]),
                                 std::min(one[2], other[2]), std::min(one[3], other[3])});
  const double all = area_of(one) + area_of(other) - shared;
  return give_number(all > 0 ? shared / all : 0);
}

Operand draw_boxes(const Call& call) {
  const std::vector<Box> boxes = boxes_of(call.json(1));
  const Colour colour = parse_colour(call.text(2));
  const std::int64_t thickness = call.integer(3);
  if (thickness < 1 || thickness > 1000) {
    throw FunctionFailure("range",
                          fmt::format("thickness is {}: it must be between 1 and 1000", thickness));
  }
  return call.give(
      with_boxes(call.picture(0).pixels(), boxes, colour, static_cast<int>(thickness)));
}

}  // namespace

void add_box_functions(Implementations& all) {
  all["box_convert(jsonb,text,text)"] = box_convert;
  all["box_scale(jsonb,float8,float8)"] = box_scale;
  all["box_clip(jsonb,bigint,bigint)"] = box_clip;
  all["box_iou(jsonb,jsonb)"] = box_iou;
  all["draw_boxes(image,jsonb,text,bigint)"] = draw_boxes;
}

}  // namespace coppice::functions
