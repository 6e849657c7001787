#include "exec/overload.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "exec/syntax.h"

namespace coppice::exec {
namespace {

using sql::as;
using sql::Node;

struct Candidate {
  const Signature* signature;
  std::vector<Node*> arguments;
};

// Everything that a search needs, and what it can say when nothing fits.
class Matcher {
 public:
  Matcher(const PgQuery__FuncCall& call, const Scope& scope, const KindContext& context,
          const sql::SourceText& source)
      : call_(call),
        scope_(scope),
        context_(context),
        source_(source),
        name_(called_name(call)),
        overloads_(context.functions.overloads(sql::function_name(call))) {}

  MatchedCall match() const;
  std::vector<Candidate> fitting() const;

 private:
  std::optional<std::vector<Node*>> place(const Signature& signature) const;
  std::vector<Candidate> placeable() const;
  // The first parameter whose argument is of another kind; the parameter count when all fit.
  std::size_t first_misfit(const Candidate& candidate) const;
  bool fits(const Parameter& parameter, const Node* argument) const;
  int score(const Candidate& candidate) const;

  void check_form() const;
  [[noreturn]] void throw_misplaced() const;
  [[noreturn]] void throw_misfit(const std::vector<Candidate>& candidates) const;
  [[noreturn]] void throw_ambiguous(const std::vector<Candidate>& candidates) const;
  [[noreturn]] void fail(ErrorCode code, const Node* at, const std::string& what,
                         std::string hint) const;
  std::string signatures_hint() const;
  std::string shown(const Node* argument) const;

  const PgQuery__FuncCall& call_;
  const Scope& scope_;
  const KindContext& context_;
  const sql::SourceText& source_;
  std::string name_;
  std::span<const Signature* const> overloads_;
};

std::optional<ValueType> scalar_type_of(const Node* node, const FunctionTable& functions) {
  if (const auto* constant = as<PgQuery__AConst>(node)) {
    if (constant->isnull) return std::nullopt;
    if (constant->val_case == PG_QUERY__A__CONST__VAL_IVAL) return ValueType::kInteger;
    if (constant->val_case == PG_QUERY__A__CONST__VAL_FVAL) return ValueType::kFloat;
    if (constant->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL) return ValueType::kBoolean;
    return std::nullopt;
  }
  if (const auto* call = as<PgQuery__FuncCall>(node)) {
    const Signature* const bound = bound_signature(*call, functions);
    return bound ? std::optional(bound->result) : std::nullopt;
  }
  const auto* const cast = as<PgQuery__TypeCast>(node);
  if (!cast || cast->type_name->n_names == 0 || cast->type_name->n_array_bounds > 0) return {};
  const std::string type = sql::names_in(cast->type_name->n_names, cast->type_name->names).back();
  if (type == "int2" || type == "int4" || type == "int8") return ValueType::kInteger;
  if (type == "float4" || type == "float8" || type == "numeric") return ValueType::kFloat;
  if (type == "text" || type == "varchar") return ValueType::kText;
  if (type == "json" || type == "jsonb") return ValueType::kJson;
  if (type == "bool") return ValueType::kBoolean;
  return std::nullopt;
}

const Node* argument_value(const Node* argument) {
  const auto* const named = as<PgQuery__NamedArgExpr>(argument);
  return named ? named->arg : argument;
}

// "a, b or c"
std::string joined_by_or(const std::vector<std::string>& texts) {
  std::string text;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) text += i + 1 == texts.size() ? " or " : ", ";
    text += texts[i];
  }
  return text;
}

// How an argument is written as a value of that type: image 'a.jpg', ($1)::image.
std::string written_as(const Node* argument, const std::string& type) {
  const auto* const constant = as<PgQuery__AConst>(argument);
  const bool is_text = constant != nullptr && !constant->isnull &&
                       constant->val_case == PG_QUERY__A__CONST__VAL_SVAL;
  const std::string text = short_text(argument);
  return is_text ? fmt::format("{} {}", type, text) : fmt::format("({})::{}", text, type);
}

// The types that the candidates take as parameter `index`, each once.
std::vector<ValueType> types_at(const std::vector<Candidate>& candidates, std::size_t index) {
  std::vector<ValueType> types;
  for (const Candidate& candidate : candidates) {
    if (index >= candidate.signature->parameters.size()) continue;
    const ValueType type = candidate.signature->parameters[index].type;
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  }
  return types;
}

std::string list_kinds(const std::vector<MediaKind>& kinds) {
  std::vector<std::string> texts;
  for (const MediaKind kind : kinds) texts.push_back(with_article(kind));
  return joined_by_or(texts);
}

// The kinds that the candidates take as parameter `index`.
std::vector<MediaKind> wanted_kinds(const std::vector<Candidate>& candidates, std::size_t index) {
  PossibleKinds wanted;
  for (const Candidate& candidate : candidates) {
    if (index >= candidate.signature->parameters.size()) continue;
    const auto kind = media_kind_of(candidate.signature->parameters[index].type);
    if (kind) wanted.merge(PossibleKinds::of(kind));
  }
  return wanted.list();
}

std::optional<std::vector<Node*>> Matcher::place(const Signature& signature) const {
  const std::vector<Parameter>& parameters = signature.parameters;
  std::vector<Node*> arguments(parameters.size(), nullptr);
  for (std::size_t i = 0; i < call_.n_args; ++i) {
    std::size_t index = i;
    if (const auto* named = as<PgQuery__NamedArgExpr>(call_.args[i])) {
      const auto found =
          std::find_if(parameters.begin(), parameters.end(),
                       [&](const Parameter& parameter) { return parameter.name == named->name; });
      index = static_cast<std::size_t>(found - parameters.begin());
    }
    if (index >= parameters.size() || arguments[index]) return std::nullopt;
    arguments[index] = const_cast<Node*>(argument_value(call_.args[i]));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!arguments[i] && !parameters[i].default_sql) return std::nullopt;
  }
  return arguments;
}

std::vector<Candidate> Matcher::placeable() const {
  std::vector<Candidate> candidates;
  for (const Signature* const signature : overloads_) {
    if (auto arguments = place(*signature)) candidates.push_back({signature, *arguments});
  }
  return candidates;
}

bool Matcher::fits(const Parameter& parameter, const Node* argument) const {
  if (!argument) return true;
  const PossibleKinds kinds = possible_kinds(argument, scope_, context_);
  const std::optional<MediaKind> wanted = media_kind_of(parameter.type);
  if (!wanted) return kinds.media == 0;
  return kinds.is_literal() || kinds.only() == wanted;
}

std::size_t Matcher::first_misfit(const Candidate& candidate) const {
  const std::vector<Parameter>& parameters = candidate.signature->parameters;
  std::size_t index = 0;
  while (index < parameters.size() && fits(parameters[index], candidate.arguments[index])) ++index;
  return index;
}

std::vector<Candidate> Matcher::fitting() const {
  std::vector<Candidate> candidates = placeable();
  std::erase_if(candidates, [&](const Candidate& candidate) {
    return first_misfit(candidate) < candidate.signature->parameters.size();
  });
  return candidates;
}

// How well the types of scalars agree, where they can be told from the text.
int Matcher::score(const Candidate& candidate) const {
  int total = 0;
  for (std::size_t i = 0; i < candidate.arguments.size(); ++i) {
    const auto type = scalar_type_of(candidate.arguments[i], context_.functions);
    if (!type) continue;
    const ValueType wanted = candidate.signature->parameters[i].type;
    if (*type == wanted) total += 2;
    if (*type == ValueType::kInteger && wanted == ValueType::kFloat) total += 1;
  }
  return total;
}

MatchedCall Matcher::match() const {
  check_form();
  const std::vector<Candidate> candidates = placeable();
  if (candidates.empty()) throw_misplaced();
  std::vector<Candidate> left = fitting();
  if (left.empty()) throw_misfit(candidates);
  if (left.size() > 1) {
    const auto better = [&](const Candidate& a, const Candidate& b) { return score(a) > score(b); };
    std::stable_sort(left.begin(), left.end(), better);
    const int best = score(left[0]);
    std::erase_if(left, [&](const Candidate& candidate) { return score(candidate) < best; });
    if (left.size() > 1) throw_ambiguous(left);
  }
  return {left.front().signature, left.front().arguments};
}

void Matcher::check_form() const {
  const bool aggregates = call_.agg_star || call_.agg_distinct || call_.agg_within_group ||
                          call_.agg_filter || call_.n_agg_order > 0 || call_.over;
  if (aggregates) {
    throw sql::error_at(ErrorCode::kUsage, source_, call_.location,
                        fmt::format("{} is not an aggregate or window function", name_),
                        signatures_hint());
  }
  if (call_.func_variadic) {
    throw sql::error_at(ErrorCode::kUsage, source_, call_.location,
                        fmt::format("{} takes no VARIADIC argument", name_), signatures_hint());
  }
  bool named = false;
  for (Node* const argument : sql::nodes(call_.n_args, call_.args)) {
    const bool is_named = as<PgQuery__NamedArgExpr>(argument) != nullptr;
    if (named && !is_named) {
      fail(ErrorCode::kUsage, argument, "a positional argument cannot follow a named one",
           signatures_hint());
    }
    named = named || is_named;
  }
}

void Matcher::throw_misplaced() const {
  std::set<std::string> known;
  for (const Signature* const signature : overloads_) {
    for (const Parameter& parameter : signature->parameters) known.insert(parameter.name);
  }
  const std::vector<std::string> names(known.begin(), known.end());
  for (Node* const argument : sql::nodes(call_.n_args, call_.args)) {
    const auto* const named = as<PgQuery__NamedArgExpr>(argument);
    if (!named || known.contains(named->name)) continue;
    const std::string meant = did_you_mean(named->name, names);
    throw sql::error_at(ErrorCode::kUsage, source_, named->location,
                        fmt::format("{} has no argument named \"{}\"", name_, named->name),
                        (meant.empty() ? "" : meant + " ") + signatures_hint());
  }
  throw sql::error_at(ErrorCode::kUsage, source_, call_.location,
                      fmt::format("{} cannot be called with {} argument{} like this", name_,
                                  call_.n_args, call_.n_args == 1 ? "" : "s"),
                      signatures_hint());
}

void Matcher::throw_misfit(const std::vector<Candidate>& candidates) const {
  // The candidate that goes furthest is the one that was meant.
  const auto shorter = [&](const Candidate& a, const Candidate& b) {
    return first_misfit(a) < first_misfit(b);
  };
  const Candidate& meant = *std::max_element(candidates.begin(), candidates.end(), shorter);
  const std::size_t index = first_misfit(meant);
  const Node* const argument = meant.arguments[index];
  const PossibleKinds kinds = possible_kinds(argument, scope_, context_);
  const std::vector<MediaKind> wanted = wanted_kinds(candidates, index);
  if (wanted.empty()) {
    const std::string type = sql_type_name(meant.signature->parameters[index].type);
    fail(ErrorCode::kType, argument,
         fmt::format("argument \"{}\" of {} is {}, but {} is {}",
                     meant.signature->parameters[index].name, name_, type, shown(argument),
                     list_kinds(kinds.list())),
         signatures_hint());
  }
  const std::string takes = fmt::format("{} takes {}", name_, list_kinds(wanted));
  if (kinds.media == 0) {
    fail(ErrorCode::kType, argument, fmt::format("{}, but {} is not", takes, shown(argument)),
         fmt::format("If it holds the name of one, say so: ({})::{}. {}", shown(argument),
                     media_kind_name(wanted.front()), signatures_hint()));
  }
  const std::string verb = kinds.only() ? "is" : "may be";
  std::vector<MediaKind> given = kinds.list();
  if (!kinds.only()) std::erase_if(given, [&](MediaKind kind) { return wanted.front() == kind; });
  const std::string what = given.empty() ? "something else" : list_kinds(given);
  fail(ErrorCode::kType, argument,
       fmt::format("{}, but {} {} {}", takes, shown(argument), verb, what), signatures_hint());
}

void Matcher::throw_ambiguous(const std::vector<Candidate>& candidates) const {
  const std::size_t argument_count = candidates.front().arguments.size();
  for (std::size_t i = 0; i < argument_count; ++i) {
    const Node* const argument = candidates.front().arguments[i];
    const std::vector<ValueType> types = types_at(candidates, i);
    if (types.size() < 2 || argument == nullptr) continue;
    std::vector<std::string> names, writings;
    for (const ValueType type : types) {
      const auto kind = media_kind_of(type);
      names.push_back(kind ? with_article(*kind) : sql_type_name(type));
      writings.push_back(written_as(argument, sql_type_name(type)));
    }
    fail(ErrorCode::kType, argument,
         fmt::format("{} takes {}, and {} may be {}", name_, joined_by_or(names), shown(argument),
                     types.size() == 2 ? "either" : "any of them"),
         fmt::format("Say which: {}.", joined_by_or(writings)));
  }
  throw sql::error_at(ErrorCode::kType, source_, call_.location,
                      fmt::format("the call of {} fits more than one function", name_),
                      "Cast the arguments. " + signatures_hint());
}

void Matcher::fail(ErrorCode code, const Node* at, const std::string& what,
                   std::string hint) const {
  const int location = location_of(at);
  throw sql::error_at(code, source_, location >= 0 ? location : call_.location, what,
                      std::move(hint));
}

std::string Matcher::signatures_hint() const {
  std::vector<std::string> texts;
  for (const Signature* const signature : overloads_) {
    texts.push_back(printed_signature(*signature));
  }
  return "There is " + join(texts, ", ") + ".";
}

std::string Matcher::shown(const Node* argument) const { return short_text(argument); }

}  // namespace

MatchedCall match_call(const PgQuery__FuncCall& call, const Scope& scope,
                       const KindContext& context, const sql::SourceText& source) {
  return Matcher(call, scope, context, source).match();
}

PossibleKinds possible_results(const PgQuery__FuncCall& call, const Scope& scope,
                               const KindContext& context) {
  const sql::SourceText nowhere{};
  PossibleKinds results;
  for (const Candidate& candidate : Matcher(call, scope, context, nowhere).fitting()) {
    results.merge(PossibleKinds::of(media_kind_of(candidate.signature->result)));
  }
  if (results.media == 0) results.other = true;
  return results;
}

}  // namespace coppice::exec
