// Filters and statistics of pictures against libvips and ffmpeg; boxes against figures worked out.
#include "functions/image_filters.h"

#include <fmt/core.h>

#include <cmath>

#include "base/text.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

class ImageFilters : public MediaTest {
 protected:
  Value image(const std::string& name) { return put(opencv_sample(name), ValueType::kImage); }
  // What a function gives, without loss.
  Image filtered(const std::string& id, std::vector<Value> arguments) {
    std::vector<Fragment> children;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      children.push_back(argument(static_cast<int>(i)));
    }
    const int count = static_cast<int>(arguments.size());
    arguments.push_back(text("png"));
    arguments.push_back(integer(85));
    const auto cells = evaluator_.evaluate_row(
        {call_of("encode(image,text,bigint)",
                 {call_of(id, children), argument(count), argument(count + 1)})},
        arguments);
    return read_pixels(path_of(cells[0]));
  }
  // What vips makes of a sample; IN and OUT stand for files.
  Image by_vips(const std::string& sample, std::string command) {
    for (std::size_t at; (at = command.find("IN")) != std::string::npos;) {
      command.replace(at, 2, opencv_sample(sample).string());
    }
    return read_pixels(make("theirs.png", command));
  }
  double number_of(const std::string& id, std::vector<Value> arguments) {
    return value(id, std::move(arguments)).number;
  }
};

TEST_F(ImageFilters, FactorsAreThoseOfVipsLinear) {
  const Value picture = image("graf1.png");
  EXPECT_GT(psnr(filtered("brightness(image,float8)", {picture, number(1.3)}),
                 by_vips("graf1.png", "vips linear IN OUT 1.3 0.5 --uchar")),
            55);
  EXPECT_GT(psnr(filtered("contrast(image,float8)", {picture, number(0.6)}),
                 by_vips("graf1.png", "vips linear IN OUT 0.6 51.7 --uchar")),
            55);
  EXPECT_EQ(psnr(filtered("saturation(image,float8)", {picture, number(1)}),
                 read_pixels(opencv_sample("graf1.png"))),
            100);
  const auto theirs = make("hue.png", "ffmpeg -v error -i " + opencv_sample("graf1.png").string() +
                                          " -vf format=yuv444p,hue=s=0.5 -pix_fmt rgb24 OUT");
  EXPECT_GT(psnr(filtered("saturation(image,float8)", {picture, number(0.5)}), read_pixels(theirs)),
            38);
}

TEST_F(ImageFilters, BlurAndSharpenAreThoseOfVips) {
  const Value picture = image("graf1.png");
  for (const double sigma : {0.7, 3.0, 11.0}) {
    EXPECT_GT(psnr(filtered("blur(image,float8)", {picture, number(sigma)}),
                   by_vips("graf1.png", fmt::format("vips gaussblur IN OUT {} --precision float "
                                                    "--min-ampl 0.01",
                                                    sigma))),
              38)
        << sigma;
  }
  const std::string folder = folder_.path().string();
  const Image theirs =
      by_vips("graf1.png",
              fmt::format("vips gaussblur IN {0}/soft.v 2 --precision float --min-ampl 0.01 && "
                          "vips subtract IN {0}/soft.v {0}/edge.v && vips linear {0}/edge.v "
                          "{0}/more.v 1.5 0.5 && vips add IN {0}/more.v {0}/sum.v && vips cast "
                          "{0}/sum.v OUT uchar",
                          folder));
  EXPECT_GT(
      psnr(filtered("sharpen(image,float8,float8)", {picture, number(1.5), number(2)}), theirs),
      35);
}

TEST_F(ImageFilters, BlurDoesNotBleedThroughTransparentPixels) {
  Image image(20, 1, 4);
  for (int x = 0; x < 20; ++x) {
    const bool red = x < 10;
    const std::array<std::uint8_t, 4> pixel = {static_cast<std::uint8_t>(red ? 255 : 0), 0,
                                               static_cast<std::uint8_t>(red ? 0 : 255),
                                               static_cast<std::uint8_t>(red ? 255 : 0)};
    std::copy(pixel.begin(), pixel.end(), image.row(0) + 4 * x);
  }
  const Image soft = blurred(image, 2);
  EXPECT_EQ(soft.row(0)[4 * 11], 255);           // still all red …
  EXPECT_EQ(soft.row(0)[4 * 11 + 2], 0);         // … no blue …
  EXPECT_NEAR(soft.row(0)[4 * 11 + 3], 56, 25);  // … and half gone
}

TEST_F(ImageFilters, FlipFitAndPadAreThoseOfVips) {
  const Value picture = image("graf1.png");  // 800 x 640
  EXPECT_EQ(psnr(filtered("flip(image,text)", {picture, text("vertical")}),
                 by_vips("graf1.png", "vips flip IN OUT vertical")),
            100);
  const Image fitted = filtered("fit(image,bigint,bigint)", {picture, integer(200), integer(300)});
  EXPECT_EQ(fitted.width(), 200);
  EXPECT_EQ(fitted.height(), 300);
  EXPECT_GT(
      psnr(fitted, by_vips("graf1.png", "vips thumbnail IN OUT 200 --height 300 --crop centre")),
      30);
  const Image padded_image = filtered("pad(image,bigint,bigint,text)",
                                      {picture, integer(400), integer(400), text("#ff8000")});
  EXPECT_GT(psnr(padded_image,
                 by_vips("graf1.png", "vips thumbnail IN " + scratch("small.png").string() +
                                          " 400 && vips gravity " + scratch("small.png").string() +
                                          " OUT centre 400 400 --extend background "
                                          "--background '255 128 0'")),
            33);
}

TEST_F(ImageFilters, PasteIsVipsComposite) {
  const Value base = image("graf1.png");
  const Value logo = image("opencv-logo.png");
  const Image theirs = by_vips(
      "graf1.png", "vips composite2 IN " + opencv_sample("opencv-logo.png").string() + " " +
                       scratch("c.png").string() + " over --x 50 --y 30 && vips extract_band " +
                       scratch("c.png").string() + " OUT 0 --n 3");
  EXPECT_GT(psnr(filtered("paste(image,image,bigint,bigint,float8)",
                          {base, logo, integer(50), integer(30), number(1)}),
                 theirs),
            45);
  EXPECT_EQ(psnr(filtered("paste(image,image,bigint,bigint,float8)",
                          {base, logo, integer(5000), integer(0), number(1)}),
                 read_pixels(opencv_sample("graf1.png"))),
            100);
}

TEST_F(ImageFilters, StatisticsAreThoseOfVips) {
  const Value picture = image("graf1.png");
  const std::string file = opencv_sample("graf1.png").string();
  const auto histogram = json("histogram(image)", {picture});
  ASSERT_EQ(histogram.size(), 3U);
  shell("vips hist_find " + file + " " + scratch("hist.v").string());
  for (const int value : {0, 17, 128, 255}) {
    const auto point =
        split(shell(fmt::format("vips getpoint {} {} 0", scratch("hist.v").string(), value)), ' ');
    for (int band = 0; band < 3; ++band) {
      EXPECT_EQ(histogram[band][value].get<double>(), std::stod(point[band])) << value;
    }
  }
  const auto mean = json("mean_color(image)", {picture});
  for (int band = 0; band < 3; ++band) {
    const std::string one = scratch("band.v").string();
    EXPECT_NEAR(mean[band].get<double>(),
                std::stod(shell(fmt::format("vips extract_band {} {} {} && vips avg {}", file, one,
                                            band, one))),
                1e-3);
  }
  const auto grey = make("grey.png", "ffmpeg -v error -i " + file + " -pix_fmt gray OUT");
  const Value grey_picture = put(grey, ValueType::kImage);
  EXPECT_NEAR(number_of("entropy(image)", {grey_picture}),
              std::stod(shell("vips hist_find " + grey.string() + " " + scratch("h.v").string() +
                              " && vips hist_entropy " + scratch("h.v").string())),
              1e-3);
  write_file_atomically(scratch("laplace.mat"), "3 3 1 0\n0 1 0\n1 -4 1\n0 1 0\n");
  const double deviation =
      std::stod(shell("vips conv " + grey.string() + " " + scratch("l.v").string() + " " +
                      scratch("laplace.mat").string() + " --precision float && vips deviate " +
                      scratch("l.v").string()));
  const double ours = number_of("sharpness(image)", {grey_picture});
  EXPECT_NEAR(ours / (deviation * deviation), 1, 0.01);
  EXPECT_EQ(json("pixel(image,bigint,bigint)", {picture, integer(100), integer(50)}).dump(),
            "[" + join(split(shell("vips getpoint " + file + " 100 50"), ' '), ",") + "]");
}

TEST_F(ImageFilters, DominantColoursOfAFlag) {
  const auto flag = make("flag.png",
                         "ffmpeg -v error -f lavfi -i color=0x0000ff:s=100x50 -f lavfi -i "
                         "color=0xffffff:s=100x30 -f lavfi -i color=0xff0000:s=100x20 "
                         "-filter_complex vstack=3,format=rgb24 -frames:v 1 OUT");
  const auto colours =
      json("dominant_colors(image,bigint)", {put(flag, ValueType::kImage), integer(5)});
  ASSERT_EQ(colours.size(), 3U) << colours;
  EXPECT_EQ(colours[0]["share"], 0.5);
  EXPECT_EQ(colours[1]["color"], "#ffffff");
  EXPECT_EQ(colours[2]["share"], 0.2);
}

TEST_F(ImageFilters, ModesHaveTheirBands) {
  const Value logo = image("opencv-logo.png");
  for (const auto& [mode, bands] : {std::pair{"grey", "1"}, {"rgb", "3"}, {"rgba", "4"}}) {
    const Value converted = value("convert_mode(image,text)", {logo, text(mode)});
    EXPECT_EQ(shell("vipsheader -f bands " + path_of(converted).string()), bands);
  }
}

TEST_F(ImageFilters, BoxesAreReckonedAndDrawn) {
  const auto boxes = [&](const std::string& id, std::vector<Value> arguments) {
    return json(id, std::move(arguments)).dump();
  };
  EXPECT_EQ(boxes("box_convert(jsonb,text,text)",
                  {json_value("[10, 20, 30, 60]"), text("xyxy"), text("xywh")}),
            "[10.0,20.0,20.0,40.0]");
  EXPECT_EQ(boxes("box_convert(jsonb,text,text)",
                  {json_value("[[20, 40, 20, 40]]"), text("cxcywh"), text("xyxy")}),
            "[[10.0,20.0,30.0,60.0]]");
  EXPECT_EQ(
      boxes("box_scale(jsonb,float8,float8)", {json_value("[1, 2, 3, 4]"), number(2), number(0.5)}),
      "[2.0,1.0,6.0,2.0]");
  EXPECT_EQ(boxes("box_clip(jsonb,bigint,bigint)",
                  {json_value("[-5, 2, 300, 4]"), integer(100), integer(3)}),
            "[0.0,2.0,100.0,3.0]");
  EXPECT_NEAR(number_of("box_iou(jsonb,jsonb)",
                        {json_value("[0, 0, 10, 10]"), json_value("[5, 5, 15, 15]")}),
              25.0 / 175, 1e-12);
  EXPECT_EQ(
      number_of("box_iou(jsonb,jsonb)", {json_value("[0, 0, 1, 1]"), json_value("[2, 2, 3, 3]")}),
      0);
  const Image drawn = filtered(
      "draw_boxes(image,jsonb,text,bigint)",
      {image("graf1.png"), json_value("[[100, 50, 300, 200]]"), text("#00ff00"), integer(4)});
  const auto theirs =
      make("boxed.png", "ffmpeg -v error -i " + opencv_sample("graf1.png").string() +
                            " -vf format=gbrp,drawbox=100:50:200:150:0x00ff00:4 "
                            "-pix_fmt rgb24 OUT");
  EXPECT_GT(psnr(drawn, read_pixels(theirs)), 60);
}

TEST_F(ImageFilters, ArgumentsThatDoNotFitAreRefused) {
  const Value picture = image("fruits.jpg");
  for (const CellFailure& failed :
       {failure("blur(image,float8)", {picture, number(0)}),
        failure("blur(image,float8)", {picture, number(NAN)}),
        failure("brightness(image,float8)", {picture, number(-1)}),
        failure("flip(image,text)", {picture, text("sideways")}),
        failure("fit(image,bigint,bigint)", {picture, integer(0), integer(5)}),
        failure("pad(image,bigint,bigint,text)", {picture, integer(9), integer(9), text("mauve")}),
        failure("pixel(image,bigint,bigint)", {picture, integer(512), integer(0)}),
        failure("convert_mode(image,text)", {picture, text("cmyk")}),
        failure("dominant_colors(image,bigint)", {picture, integer(0)}),
        failure("box_iou(jsonb,jsonb)", {json_value("[1,2,3]"), json_value("[1,2,3,4]")}),
        failure("box_convert(jsonb,text,text)",
                {json_value("[1,2,3,4]"), text("xyxy"), text("voc")}),
        failure("draw_boxes(image,jsonb,text,bigint)",
                {picture, json_value("{}"), text("red"), integer(1)}),
        failure("paste(image,image,bigint,bigint,float8)",
                {picture, picture, integer(INT64_MIN), integer(0), number(1)})}) {
    EXPECT_EQ(failed.type, "range") << failed.message;
  }
}

}  // namespace
}  // namespace coppice::functions
