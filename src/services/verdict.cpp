#include "services/verdict.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "net/retry_after.h"
#include "services/rate_headers.h"

namespace coppice::services {
namespace {

constexpr std::size_t kMessageCharacters = 300;
constexpr std::size_t kExcerptCharacters = 80;
constexpr int kTooManyRequests = 429;

// The service's own words. The parser holds its answer when that is JSON.
std::string service_message(const HttpResponse& response, const JsonAnswer* parsed) {
  if (parsed != nullptr) {
    for (const char* const pointer : {"/error/message", "/message", "/detail", "/error"}) {
      const auto text = parsed->text(pointer);
      if (text && !text->empty()) return excerpt(*text, kMessageCharacters);
    }
  }
  return excerpt(response.body, kMessageCharacters);
}

bool worth_another_try(int status, const ServiceForm& form) {
  if (status == 409) return form.retries_conflicts();
  return status == 408 || status == 425 || status == kTooManyRequests || status >= 500;
}

Verdict failed(Next next, std::string type, std::string message, bool service_failed = false) {
  Verdict verdict;
  verdict.next = next;
  verdict.failure = {std::move(type), std::move(message)};
  verdict.service_failed = service_failed;
  return verdict;
}

Verdict judge_refusal(const HttpResponse& response, const ServiceForm& form, std::size_t call_count,
                      JsonAnswer& parser, std::int64_t now_us) {
  const int status = response.status;
  const bool is_json = !parser.parse(response.body);
  const std::string words = service_message(response, is_json ? &parser : nullptr);
  std::string message = fmt::format("the service answered {}", status);
  if (!words.empty()) message += ": " + words;
  if (status >= 300 && status < 400) {
    message += fmt::format(
        " (a redirect to {}, which is not followed: SET base_url to where the "
        "service is)",
        printable_url(response.header("location")));
  }
  if ((status == 400 || status == 413) && call_count > 1) {
    return failed(Next::kSplit, "http", std::move(message));
  }
  // Only money helps.
  const bool out_of_quota =
      status == kTooManyRequests && is_json && parser.text("/error/code") == "insufficient_quota";
  if (out_of_quota || !worth_another_try(status, form)) {
    return failed(Next::kFail, "http", std::move(message));
  }
  Verdict verdict =
      failed(Next::kRetry, "http", std::move(message), status == 408 || status >= 500);
  verdict.pause = retry_after(response, now_us);
  if (status == kTooManyRequests && verdict.pause) verdict.learned.pause = verdict.pause;
  return verdict;
}

Verdict judge_answer(const HttpResponse& response, const ServiceForm& form, std::size_t call_count,
                     JsonAnswer& parser) {
  Verdict done;
  done.next = Next::kDone;
  if (response.status == 204) {
    done.answer.cells.assign(call_count, Value{});
    return done;
  }
  if (trim(response.body).empty()) {
    return failed(Next::kRetry, "connection", "the service sent an empty answer", true);
  }
  if (const auto problem = parser.parse(response.body)) {
    return failed(Next::kFail, "response",
                  fmt::format("the answer is not JSON ({}): \"{}\"", *problem,
                              excerpt(response.body, kExcerptCharacters)));
  }
  done.answer = form.read(parser, call_count);
  return done;
}

}  // namespace

Verdict judge(const HttpEnd& end, const ServiceForm& form, std::size_t call_count,
              JsonAnswer& parser, std::int64_t now_us) {
  switch (end.outcome) {
    case HttpOutcome::kTimedOut:
      return failed(Next::kRetry, "timeout", "no answer in time: " + end.reason, true);
    case HttpOutcome::kBroken:
      return failed(Next::kRetry, "connection", end.reason, true);
    case HttpOutcome::kTooLarge:
      return failed(Next::kFail, "limit", "the answer is larger than 32 MiB");
    case HttpOutcome::kFailed:
      return failed(Next::kFail, "connection", end.reason);
    case HttpOutcome::kAnswered:
      break;
  }
  Verdict verdict = end.response.ok()
                        ? judge_answer(end.response, form, call_count, parser)
                        : judge_refusal(end.response, form, call_count, parser, now_us);
  LearnedLimits learned = learned_limits(end.response, now_us);
  if (verdict.learned.pause) {
    // Retry-After is exact; what the buckets say is a guess beside it.
    learned.pause = verdict.learned.pause;
  }
  verdict.learned = learned;
  return verdict;
}

}  // namespace coppice::services
