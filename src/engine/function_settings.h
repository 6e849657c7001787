// FunctionSettings: what SET says on CREATE FUNCTION for LANGUAGE python and command.
//
// Model    Settings are kept as the texts that the user gave, by name; this reads them. A setting
//          that is not given has its default here or, where nothing is said, in config.toml.
// Units    `timeout` and `memory` need a unit ('30s', '2GB'), for PostgreSQL's bare numbers are
//          milliseconds and kilobytes, which nobody expects here.
// Errors   kUsage with the nearest setting, or with what the value should look like.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "workers/signature.h"
#include "workers/spending.h"

namespace coppice::engine {

using SettingTexts = std::map<std::string, std::string>;

struct FunctionSettings {
  std::size_t batch = 64;                            // rows that a batched function gets at most
  std::optional<std::chrono::milliseconds> timeout;  // of one call
  int workers = 0;                                   // processes; 0: as config.toml says
  std::optional<std::uint64_t> memory_bytes;         // address space of one worker
  bool network = false;
  std::vector<std::string> gpu;  // numbers of the devices it may use
  std::filesystem::path python;  // the interpreter; empty: the system's
  // Files and folders that it may read: weights of models, lists of words.
  std::vector<std::filesystem::path> files;
  Prices prices;  // of a call only
  std::optional<Money> budget;
};

FunctionSettings read_function_settings(const SettingTexts& texts, FunctionLanguage language);

}  // namespace coppice::engine
