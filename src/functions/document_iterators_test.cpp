// pages, chunks and tiles against Poppler, Python and libvips.
#include <fmt/core.h>

#include <set>

#include "base/text.h"
#include "functions/chunker.h"
#include "functions/sentences.h"
#include "functions/test_media.h"

namespace coppice::functions {
namespace {

const std::string kChunks = "chunks(document,text,bigint,bigint)";
const std::string kTextChunks = "chunks(text,text,bigint,bigint)";
const std::string kTiles = "tiles(image,bigint,bigint)";

std::string without_space(const std::string& text) {
  std::string letters;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) letters += c;
  }
  return letters;
}

class DocumentIterators : public MediaTest {
 protected:
  Value document(const std::string& bytes, const std::string& extension) {
    return put_bytes(bytes, extension, ValueType::kDocument);
  }
  nlohmann::json chunks(const Value& source, const std::string& by, int max_size = 0,
                        int overlap = 0) {
    return json(source.type == ValueType::kDocument ? kChunks : kTextChunks,
                {source, text(by), integer(max_size), integer(overlap)});
  }
  std::vector<std::string> texts(const nlohmann::json& rows) {
    std::vector<std::string> result;
    for (const auto& row : rows) result.push_back(row["text"]);
    return result;
  }
};

TEST_F(DocumentIterators, PagesAreThoseOfPoppler) {
  const std::string file = pdf_sample().string();
  const Value paper = put(file, ValueType::kDocument);
  const auto rows = json("pages(document)", {paper});
  ASSERT_EQ(rows.size(), static_cast<std::size_t>(value("page_count(document)", {paper}).integer));
  for (const std::size_t index : {std::size_t{0}, std::size_t{3}, rows.size() - 1}) {
    const auto number = index + 1;
    EXPECT_EQ(rows[index]["page"], number);
    EXPECT_EQ(rows[index]["text"].get<std::string>(),
              shell_bytes(fmt::format("pdftotext -nopgbrk -f {0} -l {0} {1} -", number, file)));
    const std::string size = shell(fmt::format(
        "pdfinfo -f {0} -l {0} {1} | sed -n 's/^Page .*size: *\\([0-9.]* x [0-9.]*\\).*/\\1/p'",
        number, file));
    EXPECT_EQ(fmt::format("{} x {}", rows[index]["width"].get<double>(),
                          rows[index]["height"].get<double>()),
              size);
  }
}

TEST_F(DocumentIterators, OtherDocumentsAreOnePageAndTurnedPagesLieDown) {
  const auto rows = json("pages(document)", {document("one\n\ntwo\n", "txt")});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0], nlohmann::json::parse(
                         R"({"page": 1, "text": "one\n\ntwo\n", "width": null, "height": null})"));
  const std::string turned =
      "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]"
      "/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/Rotate 90/MediaBox[0 0 300 400]>>endobj\n"
      "trailer<</Root 1 0 R>>\n";
  const auto lying = json("pages(document)", {document(turned, "pdf")});
  EXPECT_EQ(lying[0]["width"], 400.0);
  EXPECT_EQ(lying[0]["height"], 300.0);
}

TEST_F(DocumentIterators, ChunksOfAPdfHoldAllItsText) {
  const std::string file = pdf_sample().string();
  const Value paper = put(file, ValueType::kDocument);
  // Every letter that Poppler finds, however the pieces are cut.
  std::string expected = without_space(shell_bytes("pdftotext " + file + " -"));
  std::sort(expected.begin(), expected.end());
  for (const auto& [by, size] : {std::pair{"heading", 0},
                                 {"paragraph", 0},
                                 {"sentence", 0},
                                 {"page", 0},
                                 {"page", 300},
                                 {"characters", 500},
                                 {"tokens", 100}}) {
    std::string all;
    for (const std::string& piece : texts(chunks(paper, by, size))) {
      EXPECT_FALSE(piece.empty());
      all += without_space(piece);
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, expected) << by;
  }
}

TEST_F(DocumentIterators, ChunksOfAPdfKnowPageHeadingTitleAndBox) {
  const std::string file = pdf_sample().string();
  const Value paper = put(file, ValueType::kDocument);
  const auto by_page = chunks(paper, "page");
  EXPECT_EQ(by_page.size(),
            static_cast<std::size_t>(value("page_count(document)", {paper}).integer));
  for (std::size_t i = 0; i < by_page.size(); ++i) EXPECT_EQ(by_page[i]["page"], i + 1);
  // What pdftotext finds within the box of a sentence is the sentence.
  int looked_at = 0;
  for (const auto& row : chunks(paper, "sentence")) {
    const std::string sentence = row["text"];
    if (sentence.size() < 60 || row["page"] < 4 || ++looked_at > 5) continue;
    const auto box = row["box"].get<std::vector<double>>();
    const std::string there = shell_bytes(fmt::format(
        "pdftotext -f {0} -l {0} -x {1} -y {2} -W {3} -H {4} {5} -", row["page"].get<int>(),
        static_cast<int>(box[0]) - 1, static_cast<int>(box[1]) - 1,
        static_cast<int>(box[2] - box[0]) + 3, static_cast<int>(box[3] - box[1]) + 3, file));
    EXPECT_NE(without_space(there).find(without_space(sentence)), std::string::npos)
        << sentence << "\n---\n"
        << there;
  }
  EXPECT_GT(looked_at, 5);
  std::set<std::string> headings;
  for (const auto& row : chunks(paper, "heading")) {
    if (row["heading"].is_string()) headings.insert(row["heading"]);
  }
  bool found = false;
  for (const std::string& heading : headings) found = found || heading.ends_with("Unified system");
  EXPECT_TRUE(found) << headings.size();
}

TEST_F(DocumentIterators, MarkdownIsCutAtHeadings) {
  const Value note = document(
      "intro\n\n# One #\n\ntext\nof one\n\n```\n# no heading\n\nstill code\n```\n\nTwo\n===\n"
      "* a\n* b\n\n### Three\n",
      "md");
  const auto rows = chunks(note, "heading");
  ASSERT_EQ(rows.size(), 4U) << rows;
  EXPECT_EQ(rows[0]["text"], "intro");
  EXPECT_TRUE(rows[0]["heading"].is_null());
  EXPECT_EQ(rows[1]["heading"], "One");
  EXPECT_EQ(rows[1]["text"], "# One #\n\ntext\nof one\n\n```\n# no heading\n\nstill code\n```");
  EXPECT_EQ(rows[2]["heading"], "Two");
  EXPECT_EQ(rows[3]["heading"], "Three");
  EXPECT_EQ(rows[3]["title"], "One");
  EXPECT_EQ(rows[3]["page"], 1);
  EXPECT_TRUE(rows[3]["box"].is_null());
  EXPECT_EQ(texts(chunks(note, "paragraph")),
            (std::vector<std::string>{"intro", "# One #", "text\nof one",
                                      "```\n# no heading\n\nstill code\n```",
                                      "Two\n===", "* a\n* b", "### Three"}));
}

TEST_F(DocumentIterators, HtmlIsCutAtItsBlocks) {
  const Value page = document(
      "<html><head><title>Street</title></head><body>before<h1>First</h1><p>a b<br>c</p>"
      "<table><tr><td>1<td>2</tr><tr><td>3</tr></table><h2>Sec<b>ond</b></h2><ul><li>x<li>y</ul>",
      "html");
  EXPECT_EQ(texts(chunks(page, "paragraph")),
            (std::vector<std::string>{"before", "First", "a b\nc", "1\t2\n3", "Second", "x", "y"}));
  const auto rows = chunks(page, "heading");
  ASSERT_EQ(rows.size(), 3U) << rows;
  EXPECT_EQ(rows[1]["heading"], "First");
  EXPECT_EQ(rows[2]["heading"], "Second");
  EXPECT_EQ(rows[2]["text"], "Second\nx\ny");
  EXPECT_EQ(rows[2]["title"], "Street");
}

TEST_F(DocumentIterators, SentencesEndWhereReadersSayTheyDo) {
  const Value prose = text(
      "Mr. Smith paid $3.50 for it, e.g. in\ncash. \"Really?\" she asked. Yes!\n\n"
      "\xe4\xbb\x8a\xe6\x97\xa5\xe3\x81\xaf\xe3\x80\x82\xe6\x98\x8e\xe6\x97\xa5\xe3\x80\x82 "
      "Caf\xc3\xa9 au lait. Second line without an end");
  const auto rows = chunks(prose, "sentence");
  EXPECT_EQ(texts(rows),
            (std::vector<std::string>{"Mr. Smith paid $3.50 for it, e.g. in\ncash.", "\"Really?\"",
                                      "she asked.", "Yes!",
                                      "\xe4\xbb\x8a\xe6\x97\xa5\xe3\x81\xaf\xe3\x80\x82",
                                      "\xe6\x98\x8e\xe6\x97\xa5\xe3\x80\x82",
                                      "Caf\xc3\xa9 au lait.", "Second line without an end"}));
  EXPECT_TRUE(rows[0]["page"].is_null());
  EXPECT_TRUE(rows[0]["title"].is_null());
}

TEST_F(DocumentIterators, SizesAreKeptAndOverlapRepeatsTheEnd) {
  // Python counts characters and looks each piece up in the source.
  const auto file = scratch("rows.json");
  const auto source = scratch("source.txt");
  std::string prose;
  for (int i = 0; i < 300; ++i) {
    prose += fmt::format("W\xc3\xb6rter{} and {} more\xe2\x80\x94{}", i, std::string(i % 17, 'x'),
                         i % 9 == 0 ? ".\n\n" : " ");
  }
  for (int i = 0; i < 250; ++i) prose += fmt::format("{:04}", i);
  write_file_atomically(source, prose);
  const auto script = scratch("check.py");
  write_file_atomically(script, R"(
import json, sys
source = open(sys.argv[1], encoding="utf-8", newline="").read()
limit, overlap = int(sys.argv[3]), int(sys.argv[4])
end, at = 0, 0
for piece in json.load(open(sys.argv[2], encoding="utf-8")):
    piece = piece["text"]
    assert 0 < len(piece) <= limit, (len(piece), piece)
    begin = source.index(piece, at)
    assert begin <= end or not source[end:begin].strip(), ("lost", source[end:begin])
    assert end - begin <= overlap, ("repeats", end - begin, piece)
    assert begin + len(piece) > end, ("no progress", piece)
    if end and end - begin > 0:
        assert not (source[begin - 1] + source[begin]).isalnum() or piece.isdigit(), piece
    at, end = begin + 1, begin + len(piece)
assert not source[end:].strip()
print("right")
)");
  for (const auto& [size, overlap] :
       {std::pair{100, 0}, {100, 30}, {37, 18}, {1, 0}, {5000, 100}}) {
    write_file_atomically(file, chunks(text(prose), "characters", size, overlap).dump());
    EXPECT_EQ(shell(fmt::format("python3 {} {} {} {} {}", script.string(), source.string(),
                                file.string(), size, overlap)),
              "right")
        << size;
  }
  for (const auto& row : chunks(text(prose), "tokens", 20, 5)) {
    EXPECT_LE(count_tokens(row["text"].get<std::string>()), 20);
  }
}

TEST_F(DocumentIterators, TokensAreCountedByTheRule) {
  EXPECT_EQ(count_tokens(""), 0);
  EXPECT_EQ(count_tokens("to be or not"), 4);
  EXPECT_EQ(count_tokens("seventy"), 2);
  EXPECT_EQ(count_tokens("don't!"), 4);
  EXPECT_EQ(count_tokens("\xe4\xbb\x8a\xe6\x97\xa5"), 2);
  EXPECT_EQ(count_tokens("caf\xc3\xa9s  caf\xc3\xa9"), 2);
}

TEST_F(DocumentIterators, OptionsThatDoNotFitAreNamed) {
  const auto refused = [&](const std::string& by, int size, int overlap) {
    return failure(kTextChunks, {text("a b c"), text(by), integer(size), integer(overlap)});
  };
  EXPECT_NE(refused("words", 0, 0).message.find("heading, paragraph, sentence, page, tokens"),
            std::string::npos);
  for (const CellFailure& failed : {refused("tokens", 0, 0), refused("page", -1, 0),
                                    refused("page", 0, 1), refused("characters", 10, 6)}) {
    EXPECT_EQ(failed.type, "range") << failed.message;
  }
  EXPECT_TRUE(chunks(text(" \n "), "page").empty());
  EXPECT_EQ(failure(kTextChunks,
                    {text(std::string(600'000, 'x')), text("characters"), integer(1), integer(0)})
                .type,
            "limit");
}

TEST_F(DocumentIterators, TilesCoverThePicture) {
  const Value picture = put(opencv_sample("graf1.png"), ValueType::kImage);  // 800 x 640
  const auto rows = json(kTiles, {picture, integer(300), integer(40)});
  ASSERT_EQ(rows.size(), 9U);
  for (const auto& row : rows) {
    const int left = row["left"];
    const int top = row["top"];
    const auto theirs = make(
        "tile.png", fmt::format("vips crop {} OUT {} {} {} {}", opencv_sample("graf1.png").string(),
                                left, top, std::min(300, 800 - left), std::min(300, 640 - top)));
    EXPECT_EQ(psnr(read_pixels(object(row["tile"])), read_pixels(theirs)), 100) << row;
  }
  EXPECT_EQ(rows[1]["left"], 260);
  EXPECT_EQ(rows[8]["top"], 520);
  EXPECT_EQ(json(kTiles, {picture, integer(65535), integer(0)}).size(), 1U);
  const Value photo = put(opencv_sample("fruits.jpg"), ValueType::kImage);
  EXPECT_EQ(object(json(kTiles, {photo, integer(256), integer(0)})[0]["tile"]).extension(), ".jpg");
  for (const auto& [size, overlap] : {std::pair{0, 0}, {10, 10}, {10, -1}, {70'000, 0}}) {
    EXPECT_EQ(failure(kTiles, {picture, integer(size), integer(overlap)}).type, "range");
  }
}

}  // namespace
}  // namespace coppice::functions
