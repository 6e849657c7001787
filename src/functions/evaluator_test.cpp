#include "functions/evaluator.h"

#include <set>

#include "functions/call.h"
#include "functions/plan.h"
#include "functions/test_media.h"
#include "workers/process_pool.h"
#include "workers/signature.h"

namespace coppice::functions {
namespace {

class Evaluator : public MediaTest {};

TEST(Implementations, AreThoseOfTheSignatureTableAndTheInternalOnes) {
  std::set<std::string> promised = {"probe(image)", "probe(video)", "probe(audio)",
                                    "probe(document)", "store(image)"};
  for (const Signature& signature : builtin_signatures()) promised.insert(signature.id);
  std::set<std::string> present;
  for (const auto& [id, implementation] : implementations()) present.insert(id);
  EXPECT_EQ(promised, present);
}

TEST(Plan, SharesEqualSubtreesAndCountsTheirUses) {
  const Fragment frame = call_of("frame_at(video,float8)", {argument(0), argument(1)});
  const Fragment small = call_of("resize(image,bigint,bigint)", {frame, argument(2), argument(3)});
  const Plan plan = make_plan({small, call_of("width(image)", {frame}), small});
  ASSERT_EQ(plan.steps.size(), 7U);  // four arguments, frame_at, resize, width
  EXPECT_EQ(plan.results[0], plan.results[2]);
  const Step& resize = plan.steps[plan.results[0]];
  EXPECT_EQ(resize.uses, 2);
  EXPECT_EQ(plan.steps[resize.children[0]].function, "frame_at(video,float8)");
  EXPECT_EQ(plan.steps[resize.children[0]].uses, 2);
  EXPECT_EQ(plan.steps[plan.results[1]].children[0], resize.children[0]);
}

TEST_F(Evaluator, StoresOnlyTheResultOfAChain) {
  const Value clip = put(opencv_sample("vtest.avi"), ValueType::kVideo);
  ASSERT_EQ(stored_count(), 1U);
  const Fragment chain = call_of(
      "grayscale(image)", {call_of("resize(image,bigint,bigint)",
                                   {call_of("frame_at(video,float8)", {argument(0), argument(1)}),
                                    argument(2), argument(3)})});
  const auto cells = evaluator_.evaluate_row({chain, call_of("width(image)", {chain})},
                                             {clip, number(1), integer(320), integer(0)});
  EXPECT_EQ(stored_count(), 2U);
  EXPECT_EQ(std::get<Value>(cells[1]).integer, 320);
  EXPECT_EQ(shell("vipsheader -f width " + path_of(cells[0]).string()), "320");
}

TEST_F(Evaluator, TheSameCallGivesTheSameBytesWhateverElseIsInItsRow) {
  const Value picture = put(opencv_sample("aloeL.jpg"), ValueType::kImage);
  const Fragment small =
      call_of("resize(image,bigint,bigint)", {argument(0), argument(1), argument(2)});
  const std::vector<Value> row = {picture, integer(200), integer(0)};
  const Cell alone = evaluator_.evaluate_row({small}, row)[0];
  const auto together = evaluator_.evaluate_row(
      {call_of("grayscale(image)", {argument(0)}), call_of("perceptual_hash(image)", {argument(0)}),
       call_of("sha256(image)", {small}), small, call_of("grayscale(image)", {small})},
      row);
  EXPECT_EQ(together[3], alone);
  EXPECT_EQ("media:" + std::get<Value>(together[2]).text + ".jpg", std::get<Value>(alone).text);
  // Another process-wide state, the same bytes.
  MediaEvaluator fresh;
  fresh.open(store_.folder());
  EXPECT_EQ(fresh.evaluate_row({small}, row)[0], alone);
}

TEST_F(Evaluator, ANullArgumentGivesNull) {
  const Value picture = put(opencv_sample("fruits.jpg"), ValueType::kImage);
  EXPECT_TRUE(value("width(image)", {null_value()}).is_null());
  EXPECT_TRUE(value("resize(image,bigint,bigint)", {picture, null_value(), integer(5)}).is_null());
  const Fragment chain = call_of("width(image)", {call_of("grayscale(image)", {argument(0)})});
  EXPECT_TRUE(std::get<Value>(evaluator_.evaluate_row({chain}, {null_value()})[0]).is_null());
}

TEST_F(Evaluator, AFailureCostsOnlyTheCellsThatNeedIt) {
  const Value picture = put(opencv_sample("fruits.jpg"), ValueType::kImage);
  const Fragment bad = call_of("crop(image,bigint,bigint,bigint,bigint)",
                               {argument(0), argument(1), argument(1), argument(1), argument(1)});
  const auto cells = evaluator_.evaluate_row(
      {bad, call_of("width(image)", {argument(0)}), call_of("height(image)", {bad})},
      {picture, integer(100000)});
  const auto& failure = std::get<CellFailure>(cells[0]);
  EXPECT_EQ(failure.type, "range");
  EXPECT_EQ(failure.message.find("crop: "), 0U) << failure.message;
  EXPECT_EQ(std::get<Value>(cells[1]).integer, 512);
  EXPECT_EQ(std::get<CellFailure>(cells[2]), failure);
}

TEST_F(Evaluator, WhatItDoesNotKnowIsAFailure) {
  EXPECT_EQ(failure("colour(image)", {put(opencv_sample("fruits.jpg"), ValueType::kImage)}).type,
            "unsupported");
  const std::string digest(64, 'a');
  Value absent;
  absent.type = ValueType::kImage;
  absent.text = "media:" + digest + ".jpg";
  EXPECT_EQ(failure("width(image)", {absent}).type, "missing");
  absent.text = "https://example.com/picture.jpg";
  EXPECT_EQ(failure("width(image)", {absent}).type, "missing");
  EXPECT_EQ(failure("width(image)", {integer(5)}).type, "type");
  EXPECT_EQ(failure("rotate(image,float8)",
                    {put(opencv_sample("fruits.jpg"), ValueType::kImage), text("right")})
                .type,
            "type");
}

// The program itself, as the engine runs it: as a child with limits, over the protocol.
TEST_F(Evaluator, CoppiceMediaServesAllKindsWithinItsMemoryLimit) {
  ProcessPoolOptions options;
  options.argv = {COPPICE_MEDIA};
  options.worker_count = 1;
  options.media_folder = store_.folder();
#ifndef __SANITIZE_ADDRESS__
  options.memory_limit_bytes = std::uint64_t{1} << 30;
#endif
  ProcessPool pool(options);
  const std::string pdf = pdf_sample().string();
  Batch batch;
  batch.row_count = 2;
  const auto column = [&](const Value& value) {
    batch.arguments.push_back({value, null_value()});
    return argument(static_cast<int>(batch.arguments.size()) - 1);
  };
  const Fragment picture = column(put(opencv_sample("fruits.jpg"), ValueType::kImage));
  const Fragment clip = column(put(opencv_sample("tree.avi"), ValueType::kVideo));
  const Fragment sound = column(put(alsa_sample("Noise.wav"), ValueType::kAudio));
  const Fragment paper = column(put(pdf, ValueType::kDocument));
  const Fragment bad = column(put_bytes("no picture", "jpg", ValueType::kImage));
  const Fragment size = column(integer(100));
  const Fragment zero = column(integer(0));
  const Fragment second = column(number(1));
  const BatchResult results = pool.evaluate(
      {call_of("resize(image,bigint,bigint)",
               {call_of("frame_at(video,float8)", {clip, second}), size, zero}),
       call_of("perceptual_hash(image)", {picture}), call_of("sample_rate(audio)", {sound}),
       call_of("page_count(document)", {paper}),
       call_of("page_image(document,bigint,bigint)", {paper, column(integer(1)), size}),
       call_of("probe(image)", {bad})},
      batch, {});
  ASSERT_EQ(results.size(), 6U);
  EXPECT_EQ(shell("vipsheader -f width " + path_of(results[0][0]).string()), "100");
  EXPECT_EQ(std::get<Value>(results[1][0]).text.size(), 16U);
  EXPECT_EQ(std::get<Value>(results[2][0]).integer, 48000);
  EXPECT_EQ(std::get<Value>(results[3][0]).integer,
            std::stoi(shell("pdfinfo " + pdf + " | sed -n 's/^Pages: *//p'")));
  EXPECT_EQ(shell("file -b --mime-type " + path_of(results[4][0]).string()), "image/png");
  EXPECT_EQ(std::get<CellFailure>(results[5][0]).type, "decode");
  for (const auto& result : results) EXPECT_TRUE(std::get<Value>(result[1]).is_null());
}

}  // namespace
}  // namespace coppice::functions
