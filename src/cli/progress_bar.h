// Progress bar: one line that says what is going on, how far it is and how long it may take.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "engine/result_sink.h"

namespace coppice::cli {

// At most `width` columns: "filling films.film.poster  ████████░░░░  66 %  200/300  4.1 s left".
std::string progress_bar(const Progress& progress, std::chrono::duration<double> elapsed,
                         std::size_t width);

std::string progress_json(const Progress& progress);

}  // namespace coppice::cli
