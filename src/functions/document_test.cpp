#include "functions/document.h"

#include "functions/html_text.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

class DocumentFunctions : public MediaTest {
 protected:
  Value document(const std::string& bytes, const std::string& extension) {
    return put_bytes(bytes, extension, ValueType::kDocument);
  }
};

TEST_F(DocumentFunctions, PdfFactsAreThoseOfPoppler) {
  const std::string file = pdf_sample().string();
  const Value paper = put(file, ValueType::kDocument);
  const int pages = std::stoi(shell("pdfinfo " + file + " | sed -n 's/^Pages: *//p'"));
  EXPECT_EQ(value("page_count(document)", {paper}).integer, pages);
  EXPECT_EQ(value("text(document)", {paper}).text,
            shell_bytes("pdftotext -enc UTF-8 " + file + " -"));
  const nlohmann::json facts = json("metadata(document)", {paper});
  EXPECT_EQ(facts["format"], "pdf");
  EXPECT_EQ(facts["page_count"], pages);
  EXPECT_EQ(facts["producer"], shell("pdfinfo " + file + " | sed -n 's/^Producer: *//p'"));
  EXPECT_EQ(value("mime_type(document)", {paper}).text, "application/pdf");
}

TEST_F(DocumentFunctions, PageImageIsThatOfPdftoppm) {
  const std::string file = pdf_sample().string();
  const Value paper = put(file, ValueType::kDocument);
  const Value page = value("page_image(document,bigint,bigint)", {paper, integer(2), integer(100)});
  EXPECT_EQ(path_of(page).extension(), ".png");
  const auto theirs = make("page.png", "pdftoppm -png -r 100 -f 2 -l 2 " + file + " > OUT");
  EXPECT_EQ(psnr(read_pixels(path_of(page)), read_pixels(theirs)), 100);
}

TEST_F(DocumentFunctions, PagesThatAreNotThere) {
  const Value paper = put(pdf_sample(), ValueType::kDocument);
  const std::string id = "page_image(document,bigint,bigint)";
  EXPECT_TRUE(value(id, {paper, integer(10000), integer(150)}).is_null());
  EXPECT_EQ(failure(id, {paper, integer(0), integer(150)}).type, "range");
  EXPECT_EQ(failure(id, {paper, integer(1), integer(0)}).type, "range");
  const CellFailure plain = failure(id, {document("just text", "txt"), integer(1), integer(150)});
  EXPECT_EQ(plain.type, "unsupported");
  EXPECT_NE(plain.message.find("only PDF"), std::string::npos) << plain.message;
}

TEST_F(DocumentFunctions, HtmlLosesTagsScriptsAndStyles) {
  const Value page = document(
      "<!DOCTYPE html><html><head><title>A &amp; B</title><style>p{}</style></head><body>"
      "<script>var x = '<p>no</p>';</script><h1>Head&shy;ing</h1><p>Caf&eacute;   <b>au</b> lait"
      "<br>second line</p><table><tr><td>1<td>2</table><pre>a\n  b</pre><ul><li>one<li>two</ul>"
      "&lt;not a tag&gt; &#x20AC;5",
      "html");
  EXPECT_EQ(value("text(document)", {page}).text,
            "Head\xc2\xading\nCaf\xc3\xa9 au lait\nsecond line\n1\t2\na\n  b\none\ntwo\n"
            "<not a tag> \xe2\x82\xac"
            "5\n");
  EXPECT_EQ(json("metadata(document)", {page})["title"], "A & B");
  EXPECT_EQ(value("page_count(document)", {page}).integer, 1);
}

TEST_F(DocumentFunctions, HtmlOfARealPageHasTheTextOfPythonsReader) {
  const std::string file = "/usr/share/doc/shared-mime-info/shared-mime-info-spec.html/index.html";
  ASSERT_TRUE(std::filesystem::exists(file)) << "install the package shared-mime-info";
  std::string ours = value("text(document)", {put(file, ValueType::kDocument)}).text;
  const auto reader = scratch("reader.py");
  write_file_atomically(reader, R"(
import html.parser, sys
class Reader(html.parser.HTMLParser):
    hidden = 0
    def handle_starttag(self, tag, attributes):
        self.hidden += tag in ("head", "script", "style")
    def handle_endtag(self, tag):
        self.hidden -= tag in ("head", "script", "style")
    def handle_data(self, data):
        if not self.hidden:
            sys.stdout.write("".join(data.split()))
Reader().feed(open(sys.argv[1], encoding="utf-8").read())
)");
  const std::string theirs = shell("python3 " + reader.string() + " " + file);
  // White space is laid out differently: the letters are compared. No-break spaces are space there.
  for (std::size_t at = 0; (at = ours.find("\xc2\xa0", at)) != std::string::npos;)
    ours.erase(at, 2);
  std::erase_if(ours, [](char c) { return c == ' ' || c == '\n' || c == '\t'; });
  EXPECT_GT(theirs.size(), 1000U);
  EXPECT_EQ(ours, theirs);
}

TEST(HtmlText, EncodingsAreConverted) {
  EXPECT_EQ(read_html("<p>caf\xe9 \x80</p>").text, "caf\xc3\xa9 \xe2\x82\xac\n");  // windows-1252
  EXPECT_EQ(read_html("<html><head><meta charset=\"iso-8859-2\"></head><p>\xb9</p>").text,
            "\xc5\xa1\n");
  EXPECT_EQ(read_html("\xef\xbb\xbf<p>\xc3\xa9</p>").text, "\xc3\xa9\n");
  EXPECT_EQ(read_html("  \n ").text, "");
}

TEST(HtmlText, DeepAndBrokenPagesAreRead) {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<div>";
  EXPECT_EQ(read_html("<p>before</p>" + deep + "inside").text, "before\ninside\n");
  EXPECT_EQ(read_html("<p <b>>x</i></p></p><td>y").text.find('<'), std::string::npos);
}

TEST_F(DocumentFunctions, MarkdownAndTextAreAsTheyAre) {
  const std::string source = "# Title\n\n* caf\xc3\xa9\n";
  for (const std::string extension : {"md", "txt", "markdown"}) {
    const Value note = document(source, extension);
    EXPECT_EQ(value("text(document)", {note}).text, source);
    EXPECT_EQ(value("page_count(document)", {note}).integer, 1);
    EXPECT_EQ(json("metadata(document)", {note})["format"],
              extension == "txt" ? "text" : "markdown");
  }
  EXPECT_EQ(value("text(document)", {document("\xef\xbb\xbf"
                                              "bom",
                                              "txt")})
                .text,
            "bom");
}

TEST_F(DocumentFunctions, BytesThatAreNoTextAreNamedByTheirPlace) {
  const CellFailure invalid = failure("text(document)", {document("good \xff bad", "txt")});
  EXPECT_EQ(invalid.type, "decode");
  EXPECT_NE(invalid.message.find("byte 5 (0xff)"), std::string::npos) << invalid.message;
  EXPECT_EQ(failure("text(document)", {document(std::string("a\0b", 3), "txt")}).type, "decode");
  EXPECT_EQ(failure("probe(document)", {document(std::string("a\0b", 3), "md")}).type, "decode");
}

TEST_F(DocumentFunctions, EncryptedAndHugePagesAreRefused) {
  // A page of 200 x 200 inches at 1200 dpi would take 172 GB.
  const std::string huge =
      "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]"
      "/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 14400 14400]>>endobj\n"
      "trailer<</Root 1 0 R>>\n";
  const Value paper = document(huge, "pdf");
  EXPECT_EQ(value("page_count(document)", {paper}).integer, 1);
  EXPECT_EQ(failure("page_image(document,bigint,bigint)", {paper, integer(1), integer(1200)}).type,
            "limit");
  EXPECT_EQ(json("probe(document)", {paper})["format"], "pdf");
}

}  // namespace
}  // namespace coppice::functions
