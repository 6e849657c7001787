#include "media/ingest.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "net/testing/http_server.h"

namespace coppice {
namespace {

namespace fs = std::filesystem;
using std::string_literals::operator""s;

const std::string kGif = "GIF89a\1\0\1\0\0\0\0;"s;
const std::string kPdf = "%PDF-1.4\n%%EOF\n";

class MediaIngestTest : public testing::Test {
 protected:
  MediaIngestTest()
      : scratch_(fs::temp_directory_path(), "ingest test"),
        home_(scratch_.path()),
        store_(home_ / "media"),
        cache_(home_ / "cache", client_, clock_) {
    write("photo.gif", kGif);
    write("street.mp4", kPdf);
    write("empty.jpg", "");
    write("program",
          "\x7f"
          "ELF\2\1\1\0"s);
    fs::create_directory(home_ / "folder");
    server_.handle("/photo", [](const ReceivedRequest&, const TestHttpServer::Write& write) {
      write(TestHttpServer::answer("200 OK", kGif));
    });
  }
  void write(const std::string& name, const std::string& bytes) const {
    write_file_atomically(home_ / name, bytes, 0644);
  }
  MediaIngest make(UrlPolicy urls = UrlPolicy::kKeep, MediaValidator validate = {}) {
    return {store_, &cache_, {home_, urls, true}, std::move(validate)};
  }
  Error error_of(const std::string& text, MediaKind kind, const MediaIngest& ingest) {
    try {
      ingest.take(text, kind, "clip");
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << text << " was taken";
    return Error(ErrorCode::kInternal, "");
  }
  Error error_of(const std::string& text, MediaKind kind) { return error_of(text, kind, make()); }

  ScratchFolder scratch_;
  fs::path home_;
  SystemClock clock_;
  TestHttpServer server_;
  HttpClient client_{HttpOptions{}, clock_};
  MediaStore store_;
  UrlCache cache_;
};

TEST_F(MediaIngestTest, TakesPathsAndFileUrls) {
  const std::string expected = "media:" + to_hex(sha256(kGif)) + ".gif";
  std::string encoded = (home_ / "photo.gif").string();
  encoded.replace(encoded.find(' '), 1, "%20");  // of the scratch folder's name
  for (const std::string& text :
       {"photo.gif"s, "./folder/../photo.gif"s, (home_ / "photo.gif").string(), "file://" + encoded,
        "file://localhost" + encoded}) {
    const Ingested ingested = make().take(text, MediaKind::kImage, "poster");
    EXPECT_EQ(ingested.value, expected) << text;
    EXPECT_EQ(ingested.type.mime, "image/gif");
    EXPECT_EQ(read_file(store_.path_of(ingested.name)), kGif);
  }
}

TEST_F(MediaIngestTest, TheWrongKindNamesFileTypeAndColumn) {
  const Error error = error_of("street.mp4", MediaKind::kVideo);
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(error.message(), "street.mp4 is a PDF document, the column clip takes a video");
  EXPECT_EQ(error_of("photo.gif", MediaKind::kAudio).message(),
            "photo.gif is a GIF image, the column clip takes an audio");
  EXPECT_EQ(error_of("program", MediaKind::kImage).message(),
            "program is of no type that Coppice knows, the column clip takes an image");
}

TEST_F(MediaIngestTest, WhatIsNoReadableFileIsSaid) {
  EXPECT_EQ(error_of("absent.mp4", MediaKind::kVideo).message(), "there is no file absent.mp4");
  EXPECT_EQ(error_of("absent.mp4", MediaKind::kVideo).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of("folder", MediaKind::kVideo).message(), "folder is a folder, not a file");
  EXPECT_EQ(error_of("empty.jpg", MediaKind::kImage).message(),
            "empty.jpg is empty (0 bytes), the column clip takes an image");
  EXPECT_EQ(error_of("", MediaKind::kImage).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of("a\0b"s, MediaKind::kImage).code(), ErrorCode::kInvalidInput);
  ASSERT_EQ(::mkfifo((home_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of("pipe", MediaKind::kImage).code(), ErrorCode::kInvalidInput);
  // A file below a file cannot be opened by anybody, root included.
  EXPECT_EQ(error_of("photo.gif/x", MediaKind::kImage).code(), ErrorCode::kIo);
}

TEST_F(MediaIngestTest, TakesDataUrls) {
  const std::string expected = "media:" + to_hex(sha256(kGif)) + ".gif";
  EXPECT_EQ(make().take("data:image/gif;base64,R0lGODlhAQABAAAAADs=", MediaKind::kImage, "p").value,
            expected);
  EXPECT_EQ(make().take("data:,%23%20Title", MediaKind::kDocument, "d").type.extension, "md");
  for (const char* wrong : {"data:image/gif;base64", "data:image/gif;base64,R0lG!", "data:,%2",
                            "data:,", "data:;base64,R"}) {
    EXPECT_EQ(error_of(wrong, MediaKind::kImage).code(), ErrorCode::kInvalidInput) << wrong;
  }
}

TEST_F(MediaIngestTest, NamesOfObjectsStayWhenTheyAreThere) {
  const std::string name = make().take("photo.gif", MediaKind::kImage, "p").value;
  EXPECT_EQ(make().take(name, MediaKind::kImage, "p").value, name);
  EXPECT_EQ(error_of(name, MediaKind::kVideo).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of("media:" + std::string(64, '0') + ".gif", MediaKind::kImage).code(),
            ErrorCode::kNotFound);
  EXPECT_EQ(error_of("media:xyz", MediaKind::kImage).code(), ErrorCode::kInvalidInput);
}

TEST_F(MediaIngestTest, KeepsUrlsOrTakesThemIn) {
  const std::string url = server_.url("/photo");
  const Ingested kept = make().take(url, MediaKind::kImage, "p");
  EXPECT_EQ(kept.value, url);
  ASSERT_TRUE(kept.cached) << "nothing holds what was kept in the cache";
  EXPECT_EQ(kept.cached->name.text(), kept.name.text());
  EXPECT_FALSE(store_.contains(kept.name));
  EXPECT_EQ(read_file(store_.find(kept.name)), kGif);
  const Ingested taken = make(UrlPolicy::kTakeIn).take(url, MediaKind::kImage, "p");
  EXPECT_EQ(taken.value, "media:" + to_hex(sha256(kGif)) + ".gif");
  EXPECT_TRUE(store_.contains(taken.name));
  EXPECT_EQ(error_of(url, MediaKind::kVideo).message(),
            url + " is a GIF image, the column clip takes a video");
  EXPECT_EQ(error_of(server_.url("/absent"), MediaKind::kImage).code(), ErrorCode::kNotFound);
  const MediaIngest offline(store_, nullptr, {home_, UrlPolicy::kKeep, true}, {});
  EXPECT_EQ(error_of(url, MediaKind::kImage, offline).code(), ErrorCode::kUnsupported);
}

TEST_F(MediaIngestTest, OtherUrlsAreRefusedByName) {
  const Error error = error_of("s3://key:secret@bucket/a.jpg", MediaKind::kImage);
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error.message(), "s3://bucket/a.jpg: s3:// addresses cannot be read");
  EXPECT_EQ(error_of("file://elsewhere/a.jpg", MediaKind::kImage).code(), ErrorCode::kInvalidInput);
}

TEST_F(MediaIngestTest, TheValidatorHasTheLastWord) {
  MediaKind asked = MediaKind::kVideo;
  MediaName named;
  const MediaIngest ingest = make(UrlPolicy::kKeep, [&](MediaKind kind, const MediaName& name) {
    asked = kind;
    named = name;
    return std::optional<std::string>("it ends in the middle of a frame");
  });
  const Error error = error_of("photo.gif", MediaKind::kImage, ingest);
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(error.message(),
            "photo.gif cannot be taken into the column clip: it ends in the middle of a frame");
  EXPECT_EQ(asked, MediaKind::kImage);
  EXPECT_EQ(read_file(store_.path_of(named)), kGif);
  const MediaIngest accepting = make(
      UrlPolicy::kKeep, [](MediaKind, const MediaName&) { return std::optional<std::string>(); });
  EXPECT_EQ(accepting.take("photo.gif", MediaKind::kImage, "p").name.extension, "gif");
}

}  // namespace
}  // namespace coppice
