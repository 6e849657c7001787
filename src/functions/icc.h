// ICC profiles: what a profile calls itself.
//
// Source   ICC.1:2010, sections 7 and 10 (header, tag table, textDescription and
//          multiLocalizedUnicode types).
#pragma once

#include <string>
#include <string_view>

namespace coppice::functions {

// "Display P3", "sRGB IEC61966-2.1", …; empty when the profile is damaged or says nothing.
std::string icc_description(std::string_view profile);

// True for a profile whose pixels may be taken as sRGB as they are; an empty one is.
bool icc_is_srgb(std::string_view profile);

}  // namespace coppice::functions
