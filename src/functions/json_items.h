// The elements of a JSON array, as they are written.
//
// Model    Numbers of JSON have any size and any number of digits, and jsonb keeps them all. What
//          reads them as doubles loses some, so elements that are only passed on stay text.
// Errors   FunctionFailure "type" when the text is no array, or not JSON by its brackets and
//          strings; what stands between them is the server's to check.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace coppice::functions {

bool is_json_null(std::string_view text);

// Views into `text`, in order, without the white space around them. `taker` is who takes the array,
// for messages: "elements()".
std::vector<std::string_view> json_items(std::string_view text, std::string_view taker);

}  // namespace coppice::functions
