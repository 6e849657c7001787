// html_text: the readable text of an HTML page.
//
// Model    Tags go, entities are decoded, script, style, template and head are left out; blocks
//          (p, div, li, tr, h1, …) and br begin a new line, cells are separated by a tab, runs of
//          white space are one space except within pre. Any input gives some text: HTML has no
//          errors that a browser would not forgive.
// Units    UTF-8 in and out. Other encodings are converted when the page names them; one that
//          names none and is not UTF-8 is taken as windows-1252, as browsers do.
#pragma once

#include <string>
#include <string_view>

namespace coppice::functions {

struct HtmlPage {
  std::string title;
  std::string text;
};
HtmlPage read_html(std::string_view bytes);

}  // namespace coppice::functions
