// Signed texts: the two forms of a drill's report, and whether they are what a key has signed.
//
// Model    Every byte of a file is signed, or fixed by its form: nothing else is accepted.
// Threads  Pure functions.
// Errors   kIntegrity for a text that is no signed report.
// Source   docs/formats/drill_report.md
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "repo/signing.h"

namespace coppice::recovery {

// The report as a file, its public key in it. Members stay in their order.
std::string signed_json(nlohmann::ordered_json report, const repo::SigningKey& key);
// `page`: up to </html> and a line feed.
std::string signed_page(std::string page, const repo::SigningKey& key);

struct SignedText {
  std::string_view signed_bytes;
  std::string_view signature_hex;
};
// Views into `file`.
SignedText split_signed(std::string_view file);

// The JSON of a file that one of these public keys has signed. Throws kIntegrity for any other.
std::string verified_report(std::string_view file, const std::vector<std::string>& public_keys);

// Text for HTML; what neither HTML nor XML can say is a replacement character.
std::string html_escaped(std::string_view text);

}  // namespace coppice::recovery
