#include "workers/serve.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <new>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "workers/protocol.h"

namespace coppice {
namespace {

// Gives the text of its argument; "throw" and "memory" throw.
class TextEvaluator final : public FragmentEvaluator {
 public:
  void open(const std::filesystem::path& media_folder) override {
    if (media_folder == "/missing") throw Error(ErrorCode::kNotFound, "no such media folder");
  }
  std::vector<Cell> evaluate_row(const std::vector<Fragment>& fragments,
                                 const std::vector<Value>& arguments) override {
    if (arguments.at(0).text == "throw") throw std::runtime_error("on purpose");
    if (arguments.at(0).text == "memory") throw std::bad_alloc();
    return std::vector<Cell>(fragments.size(), arguments.at(0));
  }
};

struct Answers {
  int exit_code = 0;
  std::vector<Message> messages;
};

// Serves over pipes with the given input; small enough that nothing blocks.
Answers serve_bytes(const std::string& input) {
  int to_worker[2], from_worker[2];
  EXPECT_EQ(::pipe(to_worker), 0);
  EXPECT_EQ(::pipe(from_worker), 0);
  write_all(to_worker[1], input, "the input");
  ::close(to_worker[1]);
  TextEvaluator evaluator;
  Answers answers;
  answers.exit_code = serve(to_worker[0], from_worker[1], evaluator, "text");
  ::close(to_worker[0]);
  ::close(from_worker[1]);
  FrameBuffer frames;
  std::string block(1 << 16, '\0');
  while (const ssize_t count = ::read(from_worker[0], block.data(), block.size())) {
    if (count < 0) break;
    frames.append(std::string_view(block).substr(0, static_cast<std::size_t>(count)));
  }
  ::close(from_worker[0]);
  while (const auto body = frames.next()) answers.messages.push_back(decode_message(*body, true));
  EXPECT_TRUE(frames.empty());
  return answers;
}

Value text(std::string content) {
  Value value;
  value.type = ValueType::kText;
  value.text = std::move(content);
  return value;
}

std::string frames_of(const std::vector<Message>& messages) {
  std::string bytes;
  for (const Message& message : messages) append_frame(bytes, message);
  return bytes;
}

TEST(Serve, AnswersInTheOrderOfTheProtocol) {
  const Fragment argument{0, "", {}};
  const Answers answers = serve_bytes(frames_of(
      {EngineHello{1, "/media", 1000}, PingMessage{4},
       EvaluateMessage{5, {argument}, {{text("a")}, {text("b")}}}, ByeMessage{}, PingMessage{6}}));
  EXPECT_EQ(answers.exit_code, 0);
  const std::vector<Message> expected{WorkerHello{1, "text"}, PongMessage{4}, AcceptedMessage{5},
                                      ResultMessage{5, 0, {text("a")}},
                                      ResultMessage{5, 1, {text("b")}}};
  EXPECT_TRUE(answers.messages == expected);
}

TEST(Serve, WhatAnEvaluatorThrowsIsACellOfThatRow) {
  const Fragment argument{0, "", {}};
  const Answers answers = serve_bytes(
      frames_of({EngineHello{1, "/media", 1000},
                 EvaluateMessage{
                     5, {argument, argument}, {{text("throw")}, {text("memory")}, {text("c")}}}}));
  EXPECT_EQ(answers.exit_code, 0);
  ASSERT_EQ(answers.messages.size(), 5u);
  const auto failure = [&](std::size_t index) {
    return std::get<CellFailure>(std::get<ResultMessage>(answers.messages[index]).cells.at(1));
  };
  EXPECT_EQ(failure(2), (CellFailure{"internal", "on purpose"}));
  EXPECT_EQ(failure(3).type, "memory");
  EXPECT_TRUE(answers.messages[4] == Message(ResultMessage{5, 2, {text("c"), text("c")}}));
}

TEST(Serve, AResultAboveTheFrameLimitIsACell) {
  // The pipe holds less than the result would need, so this would block were it sent.
  const std::string large(kFrameLimitBytes - 200, 'x');
  int to_worker[2], from_worker[2];
  ASSERT_EQ(::pipe(to_worker), 0);
  ASSERT_EQ(::pipe(from_worker), 0);
  std::thread engine([&] {
    const Fragment argument{0, "", {}};
    write_all(to_worker[1],
              frames_of({EngineHello{1, "/media", 1000},
                         EvaluateMessage{5, {argument, argument}, {{text(large)}}}}),
              "the input");
    ::close(to_worker[1]);
  });
  TextEvaluator evaluator;
  EXPECT_EQ(serve(to_worker[0], from_worker[1], evaluator, "text"), 0);
  engine.join();
  ::close(from_worker[1]);
  FrameBuffer frames;
  std::string block(1 << 16, '\0');
  while (const ssize_t count = ::read(from_worker[0], block.data(), block.size())) {
    frames.append(std::string_view(block).substr(0, static_cast<std::size_t>(count)));
  }
  std::vector<Message> messages;
  while (const auto body = frames.next()) messages.push_back(decode_message(*body, true));
  ::close(to_worker[0]);
  ::close(from_worker[0]);
  ASSERT_EQ(messages.size(), 3u);
  const auto& cells = std::get<ResultMessage>(messages[2]).cells;
  EXPECT_EQ(std::get<CellFailure>(cells.at(0)).type, "limit");
}

TEST(Serve, RefusesAnotherVersionByNamingBoth) {
  const Answers answers = serve_bytes(frames_of({EngineHello{2, "/media", 1000}}));
  EXPECT_EQ(answers.exit_code, 1);
  ASSERT_EQ(answers.messages.size(), 1u);
  const std::string message = std::get<ErrorMessage>(answers.messages[0]).message;
  EXPECT_NE(message.find("version 2"), std::string::npos) << message;
  EXPECT_NE(message.find("version 1"), std::string::npos) << message;
}

TEST(Serve, EndsWithAnErrorWhenItCannotGoOn) {
  for (const std::string& input :
       {frames_of({EngineHello{1, "/missing", 1000}}), frames_of({PingMessage{1}}),
        frames_of({EngineHello{1, "/media", 1000}, AcceptedMessage{1}}),
        std::string("\xff\xff\xff\xff garbage")}) {
    const Answers answers = serve_bytes(input);
    EXPECT_EQ(answers.exit_code, 1);
    ASSERT_FALSE(answers.messages.empty());
    EXPECT_TRUE(std::holds_alternative<ErrorMessage>(answers.messages.back()));
  }
  EXPECT_EQ(serve_bytes("").exit_code, 0);
}

}  // namespace
}  // namespace coppice
