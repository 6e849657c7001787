#include "services/batch_calls.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace coppice::services {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Of bodies that are being sent; one more may go beyond it.
constexpr std::size_t kMostBodyBytes = 128 << 20;
constexpr milliseconds kLongestWait{1'000};
constexpr milliseconds kBetweenKeeping{1'000};
// Between looks for a slot that other pools or processes hold: they become longer while there is
// none. Who waits for one of the same pool is woken.
constexpr milliseconds kFirstLook{1};
constexpr milliseconds kLastLook{20};
constexpr double kBytesPerToken = 4;
constexpr double kTokensPerFile = 800;

std::vector<std::pair<std::string, std::string>> headers_with_secrets(const HttpSettings& settings,
                                                                      const ServiceForm& form,
                                                                      Secrets& secrets) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const auto& [name, text] : settings.headers) {
    constexpr std::string_view kLiteral = "text:";
    const bool literal = text.starts_with(kLiteral);
    headers.emplace_back(name, literal ? text.substr(kLiteral.size()) : secrets.resolve(text));
  }
  if (!settings.key.empty()) headers.push_back(form.key_header(secrets.resolve(settings.key)));
  return headers;
}

double random_fraction() {
  const std::string bytes = random_bytes(sizeof(std::uint32_t));
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return static_cast<double>(number) / 4294967296.0;
}

}  // namespace

BatchCalls::BatchCalls(HttpFunctionPool& pool, const std::vector<Arguments>& calls,
                       HttpMulti& connections, CallWatcher& watcher)
    : pool_(pool),
      calls_(calls),
      connections_(connections),
      watcher_(watcher),
      breaker_(pool.context_.breakers.of(pool.model_key_)),
      headers_(headers_with_secrets(pool.settings_, *pool.form_, pool.context_.secrets)),
      cells_(calls.size()),
      open_calls_(calls.size()),
      next_look_(kFirstLook),
      spending_kept_(steady_clock::now()) {
  const std::size_t step = pool_.form_->calls_per_request();
  for (std::size_t begin = 0; begin < calls.size(); begin += step) {
    ready_.push_back({begin, std::min(begin + step, calls.size())});
  }
}

BatchCalls::~BatchCalls() { leave(); }

void BatchCalls::leave() noexcept {
  if (waits_for_slot_) pool_.stop_waiting(connections_);
  try {
    connections_.cancel_all();
    if (!in_flight_.empty()) breaker_.abandoned();
    for (auto& [id, job] : in_flight_) {
      pool_.context_.limits.give_back(pool_.model_key_, 0);
      // The service may have answered, or will.
      Usage usage;
      usage.money = job.reserved;
      charge(job, usage);
    }
    for (Job& job : ready_) charge(job, {});
    for (auto& [due, job] : waiting_) charge(job, {});
    pool_.wake_waiting();
    pool_.context_.limits.rest(pool_.model_key_);
    pool_.context_.meter.rest();
  } catch (...) {
    // The database is away: what was taken there expires by itself.
  }
}

std::vector<Cell> BatchCalls::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { connections_.wake(); });
  while (open_calls_ > 0) {
    if (stop.stop_requested()) {
      throw Error(
          ErrorCode::kInterrupted,
          fmt::format("interrupted with {} of {} calls of {} answered", calls_.size() - open_calls_,
                      calls_.size(), pool_.function_.signature.name));
    }
    ready_what_is_due();
    const milliseconds wait = send_what_may_go();
    tell_all_begun();
    if (open_calls_ == 0) break;
    if (!in_flight_.empty()) {
      pool_.context_.limits.keep_alive(pool_.model_key_, pool_.settings_.limits);
    }
    keep_spending();
    const std::vector<HttpEnd> ends = connections_.wait(wait);
    for (const HttpEnd& end : ends) finish(end);
    if (!ends.empty() && ready_.empty()) pool_.wake_waiting();
  }
  return std::move(cells_);
}

void BatchCalls::tell_all_begun() {
  if (told_all_begun_ || !ready_.empty()) return;
  told_all_begun_ = true;
  watcher_.all_begun();
}

void BatchCalls::ready_what_is_due() {
  const TimePoint now = steady_clock::now();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    ready_.push_front(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
  }
}

bool BatchCalls::may_send_another() const {
  if (in_flight_.empty()) return true;
  if (in_flight_bytes_ >= kMostBodyBytes) return false;
  const RateLimits& limits = pool_.settings_.limits;
  // With no slot left but its own, the next answer is what to wait for.
  if (limits.in_flight > 0 && in_flight_.size() >= static_cast<std::size_t>(limits.in_flight)) {
    return false;
  }
  const bool may_learn =
      !pool_.source_.is_json() && limits.requests_per_minute == 0 && limits.tokens_per_minute == 0;
  return pool_.answered_ || !may_learn;
}

milliseconds BatchCalls::send_what_may_go() {
  milliseconds wait = kLongestWait;
  while (!ready_.empty() && may_send_another()) {
    if (const auto refusal = breaker_.refusal()) {
      fail_all({"unavailable", *refusal});
      break;
    }
    if (const auto pause = set_money_aside()) {
      breaker_.abandoned();
      if (*pause > milliseconds(0)) wait = std::min(wait, *pause);
      break;
    }
    Job& job = ready_.front();
    const TokenCount tokens = estimated_tokens(job);
    job.tokens_taken = static_cast<double>(tokens.in + tokens.out);
    const auto early =
        pool_.context_.limits.take(pool_.model_key_, pool_.settings_.limits, job.tokens_taken);
    if (early) {
      breaker_.abandoned();
      if (*early > pool_.settings_.deadline) {
        fail(job, {"limit", fmt::format("nothing may be sent to the service for {}, longer than "
                                        "the deadline of a call",
                                        human_seconds(static_cast<double>(early->count()) / 1e3))});
        ready_.pop_front();
        continue;
      }
      wait = std::min(wait, std::max(*early, next_look_));
      next_look_ = std::min(2 * next_look_, kLastLook);
      if (!waits_for_slot_) pool_.wait_for_slot(connections_);
      waits_for_slot_ = true;
      break;
    }
    next_look_ = kFirstLook;
    if (waits_for_slot_) pool_.stop_waiting(connections_);
    waits_for_slot_ = false;
    const Job taken = job;
    ready_.pop_front();
    send(taken);
  }
  if (!waiting_.empty()) {
    const auto due = std::chrono::ceil<milliseconds>(waiting_.begin()->first - steady_clock::now());
    wait = std::min(wait, std::max(due, milliseconds(0)));
  }
  return wait;
}

std::optional<milliseconds> BatchCalls::set_money_aside() {
  Job& job = ready_.front();
  const Money cost = estimated_cost(job);
  if (cost.is_zero() || !job.reserved.is_zero()) return std::nullopt;
  const Allowance allowance =
      pool_.context_.meter.reserve(cost, 1, static_cast<std::int64_t>(ready_.size()));
  if (allowance.wait) return *allowance.wait;
  if (allowance.calls == 0) {
    fail_all({kBudgetSpent, allowance.refusal});
    return milliseconds(0);
  }
  job.reserved = cost;
  return std::nullopt;
}

void BatchCalls::charge(Job& job, const Usage& usage) {
  if (job.reserved.is_zero() && usage.empty()) return;
  pool_.context_.meter.settle(job.reserved, usage);
  watcher_.cost(usage.money);
  job.reserved = Money();
}

// An answer is paid for, whatever it says. So may be one that did not arrive: it counts as what it
// was thought to cost. Refusals are not.
void BatchCalls::settle(Job& job, const HttpEnd& end, const Verdict& verdict) {
  const bool answered = end.outcome == HttpOutcome::kAnswered;
  const bool served = answered ? end.response.ok() : end.sent;
  Usage usage;
  if (served) {
    const TokenCount told = verdict.answer.tokens;
    const TokenCount tokens = told.in + told.out > 0 ? told : estimated_tokens(job);
    const Prices& prices = pool_.settings_.prices;
    usage.money = prices.cost(static_cast<std::int64_t>(job.size()), tokens.in, tokens.out);
    usage.tokens_in = told.in;
    usage.tokens_out = told.out;
  }
  if (job.last_sent) {
    usage.seconds = std::chrono::duration<double>(steady_clock::now() - *job.last_sent).count();
  }
  charge(job, usage);
}

void BatchCalls::keep_spending() {
  const TimePoint now = steady_clock::now();
  if (now - spending_kept_ < kBetweenKeeping) return;
  pool_.context_.meter.keep();
  spending_kept_ = now;
}

void BatchCalls::send(Job job) {
  const std::uint64_t id = next_id_++;
  // From here on the job holds a slot, whatever happens.
  Job& flight = in_flight_.emplace(id, job).first->second;
  auto made = pool_.form_->request(std::span(calls_).subspan(job.begin, job.size()));
  if (auto* const failure = std::get_if<CellFailure>(&made)) {
    in_flight_.erase(id);
    breaker_.abandoned();
    pool_.context_.limits.give_back(pool_.model_key_, -job.tokens_taken);
    charge(job, {});
    fail(job, std::move(*failure));
    return;
  }
  HttpRequest& request = std::get<HttpRequest>(made);
  request.headers.insert(request.headers.end(), headers_.begin(), headers_.end());
  flight.last_sent = steady_clock::now();
  if (!flight.first_sent) flight.first_sent = flight.last_sent;
  ++flight.attempts;
  flight.body_bytes = request.body.size();
  const milliseconds timeout =
      std::max(milliseconds(1), std::min(pool_.settings_.timeout, time_left(flight)));
  connections_.start(id, std::move(request), timeout);
  in_flight_bytes_ += flight.body_bytes;
  Usage usage;
  usage.requests = 1;
  usage.retries = flight.attempts > 1 ? 1 : 0;
  pool_.context_.meter.settle({}, usage);
}

void BatchCalls::finish(const HttpEnd& end) {
  const auto found = in_flight_.find(end.id);
  COPPICE_ASSERT(found != in_flight_.end());
  Job job = found->second;
  in_flight_.erase(found);
  in_flight_bytes_ -= job.body_bytes;
  Verdict verdict = judge(end, *pool_.form_, job.size(), parser_, pool_.context_.clock.now_us());
  const TokenCount used = verdict.answer.tokens;
  const bool known = used.in + used.out > 0;
  pool_.context_.limits.give_back(
      pool_.model_key_, known ? static_cast<double>(used.in + used.out) - job.tokens_taken : 0);
  settle(job, end, verdict);
  if (!verdict.learned.empty()) pool_.context_.limits.note(pool_.model_key_, verdict.learned);
  if (end.outcome == HttpOutcome::kAnswered) pool_.answered_ = true;
  if (verdict.service_failed) {
    breaker_.failed(pool_.context_.secrets.filtered(verdict.failure.message));
  } else if (end.outcome == HttpOutcome::kAnswered) {
    breaker_.succeeded();
  } else {
    breaker_.abandoned();
  }
  switch (verdict.next) {
    case Next::kDone:
      take_answer(job, std::move(verdict));
      break;
    case Next::kRetry:
      try_again(job, verdict);
      break;
    case Next::kSplit: {
      const std::size_t middle = job.begin + job.size() / 2;
      ready_.push_front({middle, job.end});
      ready_.push_front({job.begin, middle});
      break;
    }
    case Next::kFail:
      fail(job, std::move(verdict.failure));
      break;
  }
}

void BatchCalls::take_answer(const Job& job, Verdict verdict) {
  Answer& answer = verdict.answer;
  if (answer.tokens.out > 0) {
    pool_.tokens_out_ = 0.9 * pool_.tokens_out_ + 0.1 * static_cast<double>(answer.tokens.out);
  }
  if (answer.cells.size() != job.size()) {
    COPPICE_ASSERT(answer.cells.size() == 1);
    fail(job, std::get<CellFailure>(answer.cells[0]));
    return;
  }
  std::int64_t given = 0;
  for (std::size_t i = 0; i < job.size(); ++i) {
    if (auto* const failure = std::get_if<CellFailure>(&answer.cells[i])) {
      fail({job.begin + i, job.begin + i + 1}, std::move(*failure));
      continue;
    }
    cells_[job.begin + i] = std::move(answer.cells[i]);
    ++given;
    --open_calls_;
  }
  Usage usage;
  usage.calls = given;
  pool_.context_.meter.settle({}, usage);
}

void BatchCalls::try_again(Job job, const Verdict& verdict) {
  CellFailure failure = verdict.failure;
  if (job.attempts >= pool_.settings_.attempt_count) {
    if (job.attempts > 1) failure.message += fmt::format(" ({} attempts)", job.attempts);
    fail(job, std::move(failure));
    return;
  }
  const milliseconds pause = verdict.pause.value_or(jittered_pause(job.attempts));
  if (pause >= time_left(job)) {
    if (verdict.pause) failure.type = "limit";
    failure.message += fmt::format("; the next attempt would be in {}, after the deadline",
                                   human_seconds(static_cast<double>(pause.count()) / 1e3));
    fail(job, std::move(failure));
    return;
  }
  waiting_.emplace(steady_clock::now() + pause, job);
}

void BatchCalls::fail(const Job& job, CellFailure failure) {
  // A service may repeat what it was sent, the key too.
  failure.message = pool_.context_.secrets.filtered(std::move(failure.message));
  for (std::size_t call = job.begin; call < job.end; ++call) cells_[call] = failure;
  open_calls_ -= job.size();
  if (is_budget_failure(failure)) return;  // no call was made
  Usage usage;
  usage.failures = static_cast<std::int64_t>(job.size());
  pool_.context_.meter.settle({}, usage);
}

// Those that wait for another try, too.
void BatchCalls::fail_all(const CellFailure& failure) {
  for (Job& job : ready_) {
    charge(job, {});
    fail(job, failure);
  }
  for (auto& [due, job] : waiting_) {
    charge(job, {});
    fail(job, failure);
  }
  ready_.clear();
  waiting_.clear();
}

// Full jitter: those who failed together do not come back together.
milliseconds BatchCalls::jittered_pause(int attempts) const {
  const double most_ms = static_cast<double>(pool_.pace_.most.count());
  const double grown_ms =
      static_cast<double>(pool_.pace_.first.count()) * static_cast<double>(1U << (attempts - 1));
  return milliseconds(static_cast<std::int64_t>(random_fraction() * std::min(most_ms, grown_ms)));
}

TokenCount BatchCalls::estimated_tokens(const Job& job) const {
  double bytes = static_cast<double>(
      (pool_.settings_.prompt.size() + pool_.settings_.system.size()) * job.size());
  double tokens = 0;
  for (std::size_t call = job.begin; call < job.end; ++call) {
    for (const Value* const value : calls_[call]) {
      if (is_media(value->type)) {
        tokens += kTokensPerFile;
      } else {
        bytes += static_cast<double>(value->text.size());
      }
    }
  }
  TokenCount count;
  count.in = static_cast<std::int64_t>(std::ceil(tokens + bytes / kBytesPerToken));
  if (pool_.source_.is_chat()) {
    const double most = static_cast<double>(pool_.settings_.max_tokens.value_or(1 << 30));
    count.out = static_cast<std::int64_t>(std::ceil(std::min(pool_.tokens_out_.load(), most)));
  }
  return count;
}

Money BatchCalls::estimated_cost(const Job& job) const {
  const Prices& prices = pool_.settings_.prices;
  if (prices.free()) return {};
  const TokenCount tokens = estimated_tokens(job);
  return prices.cost(static_cast<std::int64_t>(job.size()), tokens.in, tokens.out);
}

milliseconds BatchCalls::time_left(const Job& job) const {
  if (!job.first_sent) return pool_.settings_.deadline;
  const auto end = *job.first_sent + pool_.settings_.deadline;
  return std::chrono::floor<milliseconds>(end - steady_clock::now());
}

}  // namespace coppice::services
