// EXIF data: the orientation of a picture, and the facts that people ask for.
//
// Model    The argument is a TIFF structure ("II*\0" or "MM\0*"), with or without "Exif\0\0" before
//          it. What is damaged or unknown is left out; nothing here fails.
// Source   CIPA DC-008 (Exif 2.32), TIFF 6.0.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace coppice::functions {

// 1 to 8; 1 when there is none.
int exif_orientation(std::string_view exif);

// {"make": "Canon", "taken": "2019:05:01 12:00:00", "exposure_seconds": 0.004, …}: text, numbers
// and, for a position, "latitude" and "longitude" in degrees.
nlohmann::json exif_facts(std::string_view exif);

}  // namespace coppice::functions
