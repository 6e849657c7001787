// The text of a PDF with its blocks and the boxes of its words, from what pdftotext says of them.
#pragma once

#include "functions/document_text.h"

namespace coppice::functions {

DocumentText read_pdf_layout(Pdf& pdf);

}  // namespace coppice::functions
