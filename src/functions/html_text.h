// html_text: the readable text of an HTML page.
//
// Model    Tags go, entities are decoded, script, style, template and head are left out; blocks
//          (p, div, li, tr, h1, …) and br begin a new line, cells are separated by a tab, runs of
//          white space are one space except within pre. Any input gives some text: HTML has no
//          errors that a browser would not forgive.
// Units    UTF-8 in and out. Other encodings are converted when the page names them; one that
//          names none and is not UTF-8 is taken as windows-1252, as browsers do.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::functions {

struct HtmlPage {
  std::string title;
  std::string text;
  // Where in the text a block begins (a paragraph, list item, table, …; a table's row and a br do
  // not begin one), and the ranges of h1 to h6; in order, in bytes.
  std::vector<std::size_t> breaks;
  std::vector<std::pair<std::size_t, std::size_t>> headings;
};
HtmlPage read_html(std::string_view bytes);

}  // namespace coppice::functions
