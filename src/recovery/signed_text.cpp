#include "recovery/signed_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace coppice::recovery {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kSignatureDigits = 128;
constexpr std::string_view kBeforeInJson = "  \"signature\": \"";
constexpr std::string_view kAfterInJson = "\"\n}\n";
constexpr std::string_view kBeforeInPage = "<!-- signature: ";
constexpr std::string_view kAfterInPage = " -->\n";
constexpr std::string_view kReportBegins = "<pre id=\"signed\">";
constexpr std::string_view kReportEnds = "</pre>";

Error no_report(const std::string& what) {
  return Error(ErrorCode::kIntegrity, what,
               "a report is the file that `coppice drill --report FILE` wrote, byte for byte");
}

bool is_page(std::string_view file) { return file.starts_with("<!DOCTYPE html>"); }

// The end of a file is: `before`, the signature, `after`.
SignedText split_end(std::string_view file, std::string_view before, std::string_view after) {
  const std::size_t end = before.size() + kSignatureDigits + after.size();
  if (file.size() > end) {
    const std::string_view rest = file.substr(file.size() - end);
    if (rest.starts_with(before) && rest.ends_with(after)) {
      return {file.substr(0, file.size() - end), rest.substr(before.size(), kSignatureDigits)};
    }
  }
  throw no_report("it does not end as a signed report does");
}

// What html_escaped() made of a text.
std::string unescaped(std::string_view html) {
  constexpr std::pair<std::string_view, char> kEntities[] = {
      {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}};
  std::string text;
  while (!html.empty()) {
    const auto* const entity =
        std::find_if(std::begin(kEntities), std::end(kEntities),
                     [&](const auto& known) { return html.starts_with(known.first); });
    const bool found = entity != std::end(kEntities);
    text += found ? entity->second : html.front();
    html.remove_prefix(found ? entity->first.size() : 1);
  }
  return text;
}

std::string report_in(std::string_view page) {
  const std::size_t begin = page.find(kReportBegins);
  const std::size_t end = page.find(kReportEnds, begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) {
    throw no_report("the page has no report in it");
  }
  const std::size_t first = begin + kReportBegins.size();
  return unescaped(page.substr(first, end - first));
}

}  // namespace

std::string signed_json(ordered_json report, const repo::SigningKey& key) {
  report["public_key"] = key.public_hex();
  std::string text = report.dump(2, ' ', false, ordered_json::error_handler_t::replace);
  text.resize(text.size() - std::string_view("\n}").size());
  text += ",\n";
  const std::string signature = key.sign_hex(text);
  return text.append(kBeforeInJson).append(signature).append(kAfterInJson);
}

std::string signed_page(std::string page, const repo::SigningKey& key) {
  const std::string signature = key.sign_hex(page);
  return page.append(kBeforeInPage).append(signature).append(kAfterInPage);
}

SignedText split_signed(std::string_view file) {
  return is_page(file) ? split_end(file, kBeforeInPage, kAfterInPage)
                       : split_end(file, kBeforeInJson, kAfterInJson);
}

std::string verified_report(std::string_view file, const std::vector<std::string>& public_keys) {
  const SignedText text = split_signed(file);
  for (const std::string& key : public_keys) {
    if (!repo::is_signed_by(key, text.signed_bytes, text.signature_hex)) continue;
    return is_page(file) ? report_in(text.signed_bytes) : std::string(file);
  }
  throw no_report(
      "it was changed since it was signed, or was signed by another key than the one that is "
      "trusted");
}

std::string html_escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        const bool is_control = static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
        if (is_control || c == 0x7f) {
          html += "\xef\xbf\xbd";
        } else {
          html += c;
        }
    }
  }
  return html;
}

}  // namespace coppice::recovery
