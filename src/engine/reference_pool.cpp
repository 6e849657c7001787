#include "engine/reference_pool.h"

#include <algorithm>
#include <future>
#include <map>
#include <unordered_map>

#include "engine/reference_reader.h"

namespace coppice::engine {
namespace {

using Row = std::size_t;

std::optional<coppice::MediaKind> kind_of(ValueType type) {
  if (!is_media(type)) return std::nullopt;
  return kind_from_name(sql_type_name(type));
}

// An argument of a row that is a URL.
struct Place {
  std::size_t argument = 0;
  std::size_t number = 0;  // of the reference
};

struct Places {
  std::vector<std::vector<Place>> rows;
  std::vector<WantedReference> wanted;
};

Places find_places(const Batch& batch) {
  Places places;
  places.rows.resize(batch.row_count);
  std::map<std::pair<std::string, ValueType>, std::size_t> numbers;
  for (Row row = 0; row < batch.row_count; ++row) {
    for (std::size_t argument = 0; argument < batch.arguments.size(); ++argument) {
      const Value& value = batch.arguments[argument][row];
      const auto kind = kind_of(value.type);
      if (!kind || !is_http_url(value.text)) continue;
      const auto [found, is_new] =
          numbers.try_emplace({value.text, value.type}, places.wanted.size());
      if (is_new) places.wanted.push_back({value.text, kind});
      places.rows[row].push_back({argument, found->second});
    }
  }
  return places;
}

bool reads(const Fragment& fragment, std::size_t argument) {
  if (fragment.is_argument()) return static_cast<std::size_t>(fragment.argument) == argument;
  return std::any_of(fragment.children.begin(), fragment.children.end(),
                     [&](const Fragment& child) { return reads(child, argument); });
}

CellFailure failure_of(const Error& error) {
  const std::string type = error.code() == ErrorCode::kIntegrity      ? "changed"
                           : error.code() == ErrorCode::kInvalidInput ? "decode"
                                                                      : "fetch";
  const std::string hint = error.hint().empty() ? "" : "; " + error.hint();
  return {type, error.message() + hint};
}

// One batch on its way through the workers, in pieces.
class PiecewiseCall {
 public:
  PiecewiseCall(EngineContext& context, FunctionPool& workers,
                const std::vector<Fragment>& fragments, const Batch& batch, Places places)
      : workers_(workers),
        fragments_(fragments),
        batch_(batch),
        rows_(std::move(places.rows)),
        reader_(context, std::move(places.wanted)),
        results_(fragments.size()) {}

  BatchResult run(const std::stop_token& stop) {
    std::stop_source fetching;
    const std::stop_callback forward(stop, [&] { fetching.request_stop(); });
    Fetch next = begin_fetch(0, fetching.get_token());
    const StopAtExit guard{fetching};  // destroyed first: the fetch under way ends early
    for (;;) {
      Piece piece = finish_fetch(next);
      const bool is_last = piece.end == batch_.row_count;
      if (!is_last) next = begin_fetch(piece.end, fetching.get_token());
      evaluate(piece, stop);
      if (is_last) return std::move(results_);
    }
  }

 private:
  struct StopAtExit {
    std::stop_source& source;
    ~StopAtExit() { source.request_stop(); }
  };
  struct Fetch {
    Row begin = 0;
    Row end = 0;                       // if all comes at once
    std::vector<std::size_t> numbers;  // of the references that these rows need
    std::future<std::vector<FetchedContent>> contents;
  };
  // Rows whose references are here; they are held as long as it lives.
  struct Piece {
    Row begin = 0;
    Row end = 0;
    std::unordered_map<std::size_t, ReadReference> references;  // by number
  };

  Fetch begin_fetch(Row begin, std::stop_token stop) {
    Fetch fetch;
    fetch.begin = fetch.end = begin;
    std::size_t at_least = 0;
    for (; fetch.end < batch_.row_count && fetch.numbers.size() < kPieceReferences; ++fetch.end) {
      for (const Place& place : rows_[fetch.end]) {
        const auto& numbers = fetch.numbers;
        if (std::count(numbers.begin(), numbers.end(), place.number) > 0) continue;
        fetch.numbers.push_back(place.number);
      }
      if (at_least == 0) at_least = fetch.numbers.size();
    }
    fetch.contents = std::async(std::launch::async,
                                [this, numbers = fetch.numbers, at_least, stop = std::move(stop)] {
                                  return reader_.fetch(numbers, at_least, stop);
                                });
    return fetch;
  }

  Piece finish_fetch(Fetch& fetch) {
    Piece piece;
    std::vector<ReadReference> read = reader_.check(fetch.numbers, fetch.contents.get());
    for (std::size_t i = 0; i < read.size(); ++i) {
      piece.references.emplace(fetch.numbers[i], std::move(read[i]));
    }
    const auto is_here = [&](const Place& place) {
      return piece.references.contains(place.number);
    };
    piece.begin = piece.end = fetch.begin;
    while (piece.end < fetch.end &&
           std::all_of(rows_[piece.end].begin(), rows_[piece.end].end(), is_here)) {
      ++piece.end;
    }
    COPPICE_ASSERT(piece.end > piece.begin);
    return piece;
  }

  Batch rows_of(const Piece& piece) const {
    Batch rows;
    rows.row_count = piece.end - piece.begin;
    for (const std::vector<Value>& column : batch_.arguments) {
      rows.arguments.emplace_back(column.begin() + static_cast<std::ptrdiff_t>(piece.begin),
                                  column.begin() + static_cast<std::ptrdiff_t>(piece.end));
    }
    for (Row row = piece.begin; row < piece.end; ++row) {
      for (const Place& place : rows_[row]) {
        Value& value = rows.arguments[place.argument][row - piece.begin];
        const auto* object = std::get_if<CachedObject>(&piece.references.at(place.number));
        if (object != nullptr) {
          value.text = object->name.text();
        } else {
          value = Value{};
        }
      }
    }
    return rows;
  }

  void evaluate(const Piece& piece, const std::stop_token& stop) {
    BatchResult some = workers_.evaluate(fragments_, rows_of(piece), stop);
    std::map<std::size_t, const CachedObject*> used;
    for (Row row = piece.begin; row < piece.end; ++row) {
      for (const Place& place : rows_[row]) {
        const ReadReference& reference = piece.references.at(place.number);
        if (const auto* error = std::get_if<Error>(&reference)) {
          fail(some, row - piece.begin, place.argument, *error);
        } else if (was_used(some, row - piece.begin, place.argument)) {
          used.emplace(place.number, &std::get<CachedObject>(reference));
        }
      }
    }
    reader_.record(used);
    for (std::size_t i = 0; i < fragments_.size(); ++i) {
      std::move(some[i].begin(), some[i].end(), std::back_inserter(results_[i]));
    }
  }

  // Every cell that reads the argument.
  void fail(BatchResult& results, Row row, std::size_t argument, const Error& error) const {
    for (std::size_t i = 0; i < fragments_.size(); ++i) {
      if (reads(fragments_[i], argument)) results[i][row] = failure_of(error);
    }
  }

  // Whether anything came of it: what cannot be decoded is not what a cell means.
  bool was_used(const BatchResult& results, Row row, std::size_t argument) const {
    for (std::size_t i = 0; i < fragments_.size(); ++i) {
      const bool failed = std::holds_alternative<CellFailure>(results[i][row]);
      if (!failed && reads(fragments_[i], argument)) return true;
    }
    return false;
  }

  FunctionPool& workers_;
  const std::vector<Fragment>& fragments_;
  const Batch& batch_;
  const std::vector<std::vector<Place>> rows_;
  ReferenceReader reader_;
  BatchResult results_;
};

}  // namespace

ReferencePool::ReferencePool(EngineContext& context, std::unique_ptr<FunctionPool> workers)
    : context_(context), workers_(std::move(workers)) {}

BatchResult ReferencePool::evaluate(const std::vector<Fragment>& fragments, const Batch& batch,
                                    std::stop_token stop) {
  Places places = find_places(batch);
  if (places.wanted.empty()) return workers_->evaluate(fragments, batch, std::move(stop));
  return PiecewiseCall(context_, *workers_, fragments, batch, std::move(places)).run(stop);
}

}  // namespace coppice::engine
