#include "workers/protocol.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "base/error.h"

namespace coppice {
namespace {

Value make_value(ValueType type, std::string text) {
  Value value;
  value.type = type;
  value.text = std::move(text);
  return value;
}

Value make_integer(std::int64_t number) {
  Value value;
  value.type = ValueType::kInteger;
  value.integer = number;
  return value;
}

Value make_float(double number) {
  Value value;
  value.type = ValueType::kFloat;
  value.number = number;
  return value;
}

Value make_boolean(bool boolean) {
  Value value;
  value.type = ValueType::kBoolean;
  value.boolean = boolean;
  return value;
}

Fragment argument(int number) { return {number, "", {}}; }
Fragment call(std::string function, std::vector<Fragment> children) {
  return {-1, std::move(function), std::move(children)};
}

std::vector<Value> every_kind_of_value() {
  return {Value{},
          make_boolean(true),
          make_boolean(false),
          make_integer(-7),
          make_integer(std::numeric_limits<std::int64_t>::max()),
          make_float(2.5),
          make_float(3),
          make_float(std::numeric_limits<double>::infinity()),
          make_value(ValueType::kText, "grün"),
          make_value(ValueType::kText, ""),
          make_value(ValueType::kJson, "{\"a\": [1, 2]}"),
          make_value(ValueType::kImage, "media:00.jpg"),
          make_value(ValueType::kVideo, "media:00.mp4"),
          make_value(ValueType::kAudio, "media:00.wav"),
          make_value(ValueType::kDocument, "media:00.pdf"),
          make_value(ValueType::kFloatArray, std::string("\0\0\0\0\0\0\xf0\x3f", 8)),
          make_value(ValueType::kFloatArray, ""),
          make_value(ValueType::kRealArray, std::string(400, '\0'))};
}

Message round_trip(const Message& message, bool from_worker) {
  std::string bytes;
  append_frame(bytes, message);
  FrameBuffer frames;
  frames.append(bytes);
  const std::optional<std::string_view> body = frames.next();
  EXPECT_TRUE(body);
  const Message decoded = decode_message(*body, from_worker);
  EXPECT_FALSE(frames.next());
  EXPECT_TRUE(frames.empty());
  return decoded;
}

std::vector<Message> one_of_each() {
  std::vector<Cell> cells;
  for (const Value& value : every_kind_of_value()) cells.push_back(value);
  cells.push_back(CellFailure{"decode", "a truncated JPEG"});
  return {EngineHello{1, "/home/media", 1000},
          EvaluateMessage{7,
                          {call("resize(image,bigint)", {argument(0), argument(1)}), argument(2)},
                          {every_kind_of_value(), {Value{}}, {}}},
          PingMessage{9},
          ByeMessage{},
          WorkerHello{1, "coppice-media"},
          AcceptedMessage{7},
          ResultMessage{7, 3, cells},
          PongMessage{9},
          ErrorMessage{"no"}};
}

TEST(WorkerProtocol, EveryMessageReturnsAsItWas) {
  for (const Message& message : one_of_each()) {
    const bool from_worker = message.index() != 0;
    EXPECT_TRUE(round_trip(message, from_worker) == message) << message.index();
  }
}

TEST(WorkerProtocol, TheWorkedExampleOfTheFormatPageIsTrue) {
  std::string bytes;
  append_frame(
      bytes,
      EvaluateMessage{7, {call("square(bigint)", {argument(0)})}, {{make_integer(12)}, {Value{}}}});
  EXPECT_EQ(bytes, std::string("\x39\x00\x00\x00"
                               "\x84"
                               "\xa4type\xa8"
                               "evaluate"
                               "\xa2id\x07"
                               "\xa9"
                               "fragments\x91\x92\xaesquare(bigint)\x00"
                               "\xa4rows\x92\x91\x0c\x91\xc0",
                               61));
  bytes.clear();
  Value result = make_integer(144);
  append_frame(bytes, AcceptedMessage{7});
  append_frame(bytes, ResultMessage{7, 0, {result}});
  EXPECT_EQ(bytes, std::string("\x13\x00\x00\x00\x82\xa4type\xa8"
                               "accepted\xa2id\x07"
                               "\x22\x00\x00\x00\x84\xa4type\xa6result\xa2id\x07\xa3row\x00\xa5"
                               "cells\x91\xd2\x00\x00\x00\x90",
                               23 + 38));
}

TEST(WorkerProtocol, AColumnarBatchGivesTheFrameOfItsRows) {
  Batch batch;
  batch.row_count = 4;
  batch.arguments = {{make_integer(0), make_integer(1), make_integer(2), make_integer(3)},
                     {make_value(ValueType::kText, "a"), Value{}, make_float(1), Value{}}};
  const std::vector<Fragment> fragments{call("echo", {argument(1)})};
  const std::vector<std::size_t> rows{1, 2};
  std::string columnar, plain;
  EXPECT_EQ(append_evaluate_frame(columnar, 5, pack_fragments(fragments), batch, rows, 1000), 2u);
  append_frame(plain,
               EvaluateMessage{
                   5, fragments, {{make_integer(1), Value{}}, {make_integer(2), make_float(1)}}});
  EXPECT_EQ(columnar, plain);
}

TEST(WorkerProtocol, AnEvaluateFrameStopsAtTheSoftLimitAfterOneRow) {
  Batch batch;
  batch.row_count = 3;
  batch.arguments = {{3, make_value(ValueType::kText, std::string(100, 'x'))}};
  const std::string fragments = pack_fragments(std::vector<Fragment>{argument(0)});
  std::string out;
  EXPECT_EQ(append_evaluate_frame(out, 1, fragments, batch, std::vector<std::size_t>{0, 1, 2}, 50),
            1u);
}

TEST(WorkerProtocol, ARowAboveTheFrameLimitIsNotTaken) {
  Batch batch;
  batch.row_count = 1;
  batch.arguments = {{make_value(ValueType::kText, std::string(kFrameLimitBytes, 'x'))}};
  const std::string fragments = pack_fragments(std::vector<Fragment>{argument(0)});
  std::string out = "before";
  EXPECT_EQ(append_evaluate_frame(out, 1, fragments, batch, std::vector<std::size_t>{0}, 50), 0u);
  EXPECT_EQ(out, "before");
  EXPECT_THROW(append_frame(out, ErrorMessage{batch.arguments[0][0].text}), Error);
  EXPECT_EQ(out, "before");
}

TEST(WorkerProtocol, TooDeepAnExpressionIsRefusedByBothSides) {
  Fragment deep = argument(0);
  for (int i = 1; i < kFragmentDepthLimit; ++i) {
    Fragment outer = call("f", {});
    outer.children.push_back(std::move(deep));
    deep = std::move(outer);
  }
  std::string bytes = pack_fragments(std::vector<Fragment>{deep});
  EXPECT_TRUE(round_trip(EvaluateMessage{1, {deep}, {}}, false) ==
              Message(EvaluateMessage{1, {deep}, {}}));
  Fragment outer = call("f", {deep});
  try {
    pack_fragments(std::vector<Fragment>{outer});
    FAIL() << "a fragment of " << kFragmentDepthLimit + 1 << " levels was packed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  }
  const std::string body = std::string("\x83\xa4type\xa8") + "evaluate\xa2id\x01\xa9" +
                           "fragments\x91\x92\xa1" + "f" + bytes.substr(1);
  EXPECT_THROW(decode_message(body, false), Error);
}

TEST(WorkerProtocol, UnknownKeysAreSkippedAndMissingOnesRefused) {
  const std::string_view with_more(
      "\x83\xa4type\xa4ping\xa5"
      "extra\x92\x01\xc0\xa2id\x05");
  EXPECT_TRUE(decode_message(with_more, false) == Message(PingMessage{5}));
  const std::string_view without("\x81\xa4type\xa4ping");
  EXPECT_THROW(decode_message(without, false), Error);
  const std::string_view trailing("\x82\xa4type\xa4ping\xa2id\x05\x05");
  EXPECT_THROW(decode_message(trailing, false), Error);
}

TEST(WorkerProtocol, TextThatIsNotUtf8BecomesAFailedCell) {
  const Message decoded =
      round_trip(ResultMessage{1, 0, {make_value(ValueType::kText, "a\xff")}}, true);
  const auto& cells = std::get<ResultMessage>(decoded).cells;
  ASSERT_TRUE(std::holds_alternative<CellFailure>(cells.at(0)));
  EXPECT_EQ(std::get<CellFailure>(cells[0]).type, "encoding");
}

TEST(FrameBuffer, FramesReturnWhateverThePiecesTheyComeIn) {
  std::string bytes;
  for (const Message& message : one_of_each()) append_frame(bytes, message);
  for (std::size_t step = 1; step < 40; ++step) {
    FrameBuffer frames;
    std::size_t count = 0;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      frames.append(std::string_view(bytes).substr(at, step));
      while (frames.next()) ++count;
    }
    EXPECT_EQ(count, one_of_each().size());
    EXPECT_TRUE(frames.empty());
  }
}

TEST(FrameBuffer, SizesOutsideTheLimitAreRefused) {
  FrameBuffer empty_frame;
  empty_frame.append(std::string_view("\0\0\0\0", 4));
  EXPECT_THROW(empty_frame.next(), Error);
  FrameBuffer large_frame(1000);
  large_frame.append(std::string_view("\xe9\x03\0\0", 4));
  EXPECT_THROW(large_frame.next(), Error);
}

// Damaged frames end in a message or in Error{kInvalidInput}; the sanitizers watch the rest.
TEST(WorkerProtocol, DamagedFramesNeverDoAnythingButThrow) {
  std::mt19937 random(20221107);
  std::vector<std::string> bodies;
  for (const Message& message : one_of_each()) {
    std::string bytes;
    append_frame(bytes, message);
    bodies.push_back(bytes.substr(kFrameHeaderBytes));
  }
  int refused = 0;
  for (int round = 0; round < 40'000; ++round) {
    std::string body = bodies[random() % bodies.size()];
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) {
      body[random() % body.size()] = static_cast<char>(random());
    }
    if (random() % 3 == 0) body.resize(random() % (body.size() + 1));
    try {
      decode_message(body, random() % 2 == 0);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
      ++refused;
    }
  }
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace coppice
