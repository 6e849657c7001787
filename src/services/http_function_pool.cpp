#include "services/http_function_pool.h"

#include <fmt/core.h>

#include <unordered_map>

#include "base/error.h"
#include "base/sha256.h"
#include "services/batch_calls.h"

namespace coppice::services {
namespace {

// Equal arguments have equal digests.
std::string digest_of(const Arguments& arguments) {
  Sha256 digest;
  for (const Value* const value : arguments) {
    const std::string head =
        fmt::format("{},{},{},{},{};", static_cast<int>(value->type), value->boolean,
                    value->integer, value->number, value->text.size());
    digest.update(head);
    digest.update(value->text);
  }
  const Digest bytes = digest.finish();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One parameter's values: a column of the batch, or what a call gave.
struct Column {
  const std::vector<Value>* values = nullptr;
  std::vector<Cell> cells;

  const CellFailure* failure(std::size_t row) const {
    return values != nullptr ? nullptr : std::get_if<CellFailure>(&cells[row]);
  }
  const Value& value(std::size_t row) const {
    return values != nullptr ? (*values)[row] : std::get<Value>(cells[row]);
  }
};

// The rows of some calls in fragments, and the calls that answer them.
class RowsToCalls {
 public:
  // With `once`, rows with equal arguments share a call.
  RowsToCalls(BatchResult& results, bool once) : results_(results), once_(once) {}

  const std::vector<Arguments>& calls() const { return calls_; }

  // Fills in the rows of results[fragment] that need no call. `columns` outlives the calls.
  void add(std::size_t fragment, const std::vector<Column>& columns, std::size_t row_count) {
    for (std::size_t row = 0; row < row_count; ++row) {
      Arguments arguments;
      const CellFailure* failure = nullptr;
      bool null = false;
      for (const Column& column : columns) {
        failure = column.failure(row);
        if (failure != nullptr) break;
        arguments.push_back(&column.value(row));
        null |= arguments.back()->is_null();
      }
      if (failure != nullptr) {
        results_[fragment][row] = *failure;
      } else if (!null) {
        rows_.push_back({fragment, row, call_for(std::move(arguments))});
      }
    }
  }

  void fill_in(const std::vector<Cell>& cells) {
    for (const auto& [fragment, row, call] : rows_) results_[fragment][row] = cells[call];
  }

 private:
  struct Row {
    std::size_t fragment, row, call;
  };

  std::size_t call_for(Arguments arguments) {
    const std::size_t next = calls_.size();
    const std::size_t call =
        once_ ? known_.try_emplace(digest_of(arguments), next).first->second : next;
    if (call == next) calls_.push_back(std::move(arguments));
    return call;
  }

  BatchResult& results_;
  bool once_;
  std::vector<Arguments> calls_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::size_t> known_;
};

// Of calls inside calls: when they all have begun, others are still to come.
class OuterWatcher final : public CallWatcher {
 public:
  explicit OuterWatcher(CallWatcher& outer) : outer_(outer) {}
  void all_begun() override {}
  void cost(const Money& money) override { outer_.cost(money); }

 private:
  CallWatcher& outer_;
};

std::string model_key(const ServiceSource& source, const HttpSettings& settings) {
  if (!source.is_json()) return source.model + " at " + settings.base_url;
  const std::string address = settings.base_url + source.address;
  return printable_url(address.substr(0, address.find('{')));
}

std::unique_ptr<ServiceForm> form_of(const HttpFunction& function, const ServiceSource& source,
                                     const HttpSettings& settings, const MediaStore* media) {
  return make_form({function.signature, source, settings, media});
}

}  // namespace

void check_http_function(const HttpFunction& function) {
  const ServiceSource source = parse_source(function.source);
  const HttpSettings settings = read_http_settings(function.settings, source, function.defaults);
  form_of(function, source, settings, nullptr);
}

HttpFunctionPool::HttpFunctionPool(HttpFunction function, ServiceContext context, RetryPace pace)
    : function_(std::move(function)),
      source_(parse_source(function_.source)),
      settings_(read_http_settings(function_.settings, source_, function_.defaults)),
      context_(context),
      pace_(pace),
      form_(form_of(function_, source_, settings_, &context_.media)),
      model_key_(model_key(source_, settings_)) {}

BatchResult HttpFunctionPool::evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                                       std::stop_token stop) {
  Unwatched nobody;
  return evaluate_watched(fragments, batch, nobody, std::move(stop));
}

BatchResult HttpFunctionPool::evaluate_watched(const std::vector<Fragment>& fragments,
                                               const Batch& batch, CallWatcher& watcher,
                                               std::stop_token stop) {
  std::vector<const Fragment*> level;
  for (const Fragment& fragment : fragments) level.push_back(&fragment);
  return evaluate_level(level, batch, watcher, stop);
}

BatchResult HttpFunctionPool::evaluate_level(const std::vector<const Fragment*>& fragments,
                                             const Batch& batch, CallWatcher& watcher,
                                             const std::stop_token& stop) {
  // Calls inside calls come first, all of one depth at the same time.
  std::vector<const Fragment*> inner;
  for (const Fragment* const fragment : fragments) {
    for (const Fragment& child : fragment->children) {
      if (!child.is_argument()) inner.push_back(&child);
    }
  }
  BatchResult inner_results;
  if (!inner.empty()) {
    OuterWatcher of_inner(watcher);
    inner_results = evaluate_level(inner, batch, of_inner, stop);
  }

  BatchResult results(fragments.size(), std::vector<Cell>(batch.row_count));
  RowsToCalls rows(results, function_.signature.volatility != Volatility::kVolatile);
  std::vector<std::vector<Column>> columns(fragments.size());
  std::size_t next_inner = 0;
  for (std::size_t f = 0; f < fragments.size(); ++f) {
    const Fragment& fragment = *fragments[f];
    if (fragment.is_argument()) {
      const auto& column = batch.arguments[static_cast<std::size_t>(fragment.argument)];
      results[f].assign(column.begin(), column.end());
      continue;
    }
    COPPICE_ASSERT(fragment.function == function_.signature.id);
    for (const Fragment& child : fragment.children) {
      Column& column = columns[f].emplace_back();
      if (child.is_argument()) {
        column.values = &batch.arguments[static_cast<std::size_t>(child.argument)];
      } else {
        column.cells = std::move(inner_results[next_inner++]);
      }
    }
    rows.add(f, columns[f], batch.row_count);
  }
  rows.fill_in(make_calls(rows.calls(), watcher, stop));
  return results;
}

std::vector<Cell> HttpFunctionPool::make_calls(const std::vector<Arguments>& calls,
                                               CallWatcher& watcher, const std::stop_token& stop) {
  if (calls.empty()) return {};
  std::unique_ptr<HttpMulti> connections = take_connections();
  std::vector<Cell> cells = BatchCalls(*this, calls, *connections, watcher).run(stop);
  give_back(std::move(connections));
  return cells;
}

std::unique_ptr<HttpMulti> HttpFunctionPool::take_connections() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<HttpMulti>(HttpMultiOptions{});
  std::unique_ptr<HttpMulti> connections = std::move(idle_.back());
  idle_.pop_back();
  return connections;
}

void HttpFunctionPool::give_back(std::unique_ptr<HttpMulti> connections) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connections));
}

void HttpFunctionPool::wait_for_slot(HttpMulti& loop) {
  const std::lock_guard lock(mutex_);
  waiting_.insert(&loop);
}

void HttpFunctionPool::stop_waiting(HttpMulti& loop) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(&loop);
}

void HttpFunctionPool::wake_waiting() {
  const std::lock_guard lock(mutex_);
  for (HttpMulti* const loop : waiting_) loop->wake();
}

}  // namespace coppice::services
