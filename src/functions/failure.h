// FunctionFailure: the exception form of a CellFailure, within this component only.
//
// Model    Functions throw it; MediaEvaluator turns it into the CellFailure of that cell. It never
//          leaves evaluate_row(): a failed cell is data, not an Error.
// Errors   type is one of the words that workers/builtin_signatures.cpp lists; the message says
//          what is wrong and, where something can be done, what to do.
#pragma once

#include <stdexcept>
#include <string>

#include "workers/value.h"

namespace coppice::functions {

class FunctionFailure : public std::runtime_error {
 public:
  FunctionFailure(std::string type, const std::string& message)
      : std::runtime_error(message), type_(std::move(type)) {}
  CellFailure cell() const { return {type_, what()}; }

 private:
  std::string type_;
};

}  // namespace coppice::functions
