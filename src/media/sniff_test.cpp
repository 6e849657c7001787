#include "media/sniff.h"

#include <gtest/gtest.h>

#include "base/sha256.h"

namespace coppice {
namespace {

using std::string_view_literals::operator""sv;

std::string extension_of(std::string_view bytes, std::optional<MediaKind> wanted = std::nullopt) {
  const auto type = sniff(bytes, wanted);
  return type ? std::string(type->extension) : "(none)";
}

TEST(Sniff, KnowsTypesByTheirFirstBytes) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\xff\xd8\xff\xe0\0\x10JFIF"sv, "jpg"},
      {"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"sv, "png"},
      {"RIFF\x24\0\0\0WEBPVP8 "sv, "webp"},
      {"GIF89a\1\0"sv, "gif"},
      {"II*\0\x08\0\0\0"sv, "tif"},
      {"MM\0*\0\0\0\x08"sv, "tif"},
      {"\0\0\0\x1c"
       "ftypavif\0\0\0\0avifmif1"sv,
       "avif"},
      {"\0\0\0\x1c"
       "ftypmif1\0\0\0\0mif1avif"sv,
       "avif"},
      {"\0\0\0\x18"
       "ftypheic\0\0\0\0mif1heic"sv,
       "heic"},
      {"\0\0\0\x20"
       "ftypisom\0\0\x02\0isomiso2"sv,
       "mp4"},
      {"\0\0\0\x14"
       "ftypqt  \0\0\0\0qt  "sv,
       "mov"},
      {"\0\0\0\x20"
       "ftypM4A \0\0\0\0"sv,
       "m4a"},
      {"RIFF\x24\0\0\0AVI LIST"sv, "avi"},
      {"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska"sv, "mkv"},
      {"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm"sv, "webm"},
      {"RIFF\x24\0\0\0WAVEfmt "sv, "wav"},
      {"ID3\x04\0\0\0\0\0\0"sv, "mp3"},
      {"\xff\xfb\x90\x64\0\0"sv, "mp3"},
      {"\xff\xf1\x50\x80\0\0"sv, "aac"},
      {"OggS\0\2\0\0\0\0\0\0\0\0\1\2\3\4\0\0\0\0\5\6\7\x08\1\x1e\1vorbis"sv, "ogg"},
      {"OggS\0\2\0\0\0\0\0\0\0\0\1\2\3\4\0\0\0\0\5\6\7\x08\1\x13OpusHead"sv, "opus"},
      {"OggS\0\2\0\0\0\0\0\0\0\0\1\2\3\4\0\0\0\0\5\6\7\x08\1\x2a\x80theora"sv, "ogv"},
      {"fLaC\0\0\0\x22"sv, "flac"},
      {"%PDF-1.7\n"sv, "pdf"},
      {"\r\n\r\n%PDF-1.4\n"sv, "pdf"},
      {"<!DOCTYPE html>\n<html>"sv, "html"},
      {"\xef\xbb\xbf  <HTML lang=de>"sv, "html"},
      {"<?xml version=\"1.0\"?>\n<html xmlns=\"http://www.w3.org/1999/xhtml\">"sv, "html"},
      {"<!-- made by\na program -->\n<!--x--><html>"sv, "html"},
      {"<p class=a>a piece of a page</p>"sv, "html"},
      {"<html><head><meta charset=latin1></head>caf\xe9</html>"sv, "html"},
      {"<particle>no page</particle>"sv, "txt"},
      {"# A title\n\nText with a [link](there).\n"sv, "md"},
      {"Just a line of text, grün.\n"sv, "txt"},
  };
  for (const auto& [bytes, expected] : cases) {
    EXPECT_EQ(extension_of(bytes), expected) << to_hex(bytes);
  }
}

TEST(Sniff, WhatIsNoKnownTypeIsNothing) {
  for (const std::string_view bytes :
       {""sv, "\0\0\0\0"sv,
        "\x7f"
        "ELF\2\1\1"sv,
        "PK\3\4\x14\0"sv, "RIFF\x24\0\0\0ACON"sv, "text with a NUL\0 inside"sv,
        "not utf-8: \xff\xff"sv, "\xff\xfeh\0e\0l\0"sv, "\xff"sv, "\xff\xd8"sv,
        "\0\0\0\x1c"
        "ftyp"sv}) {
    EXPECT_EQ(extension_of(bytes), "(none)") << to_hex(bytes);
  }
}

TEST(Sniff, ContainersAreWhatTheColumnWants) {
  const std::string_view mp4 =
      "\0\0\0\x20"
      "ftypisom\0\0\x02\0isomiso2"sv;
  EXPECT_EQ(sniff(mp4)->kind, MediaKind::kVideo);
  EXPECT_EQ(sniff(mp4, MediaKind::kAudio)->kind, MediaKind::kAudio);
  EXPECT_EQ(extension_of(mp4, MediaKind::kAudio), "m4a");
  EXPECT_EQ(extension_of("\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm"sv, MediaKind::kAudio), "webm");
  EXPECT_EQ(sniff(mp4, MediaKind::kImage)->kind, MediaKind::kVideo);
}

TEST(Sniff, TextCutInTheMiddleOfACharacterIsText) {
  std::string text(kSniffBytes - 1, 'a');
  text += "\xc3\xbc";  // its first byte is the last one that is looked at
  EXPECT_EQ(extension_of(text), "txt");
  std::string broken(kSniffBytes, 'a');
  broken[100] = '\xff';
  EXPECT_EQ(extension_of(broken), "(none)");
}

TEST(Sniff, KindsHaveNames) {
  for (const MediaKind kind :
       {MediaKind::kImage, MediaKind::kVideo, MediaKind::kAudio, MediaKind::kDocument}) {
    EXPECT_EQ(kind_from_name(kind_name(kind)), kind);
  }
  EXPECT_FALSE(kind_from_name("text"));
  EXPECT_EQ(kind_with_article(MediaKind::kImage), "an image");
  EXPECT_EQ(kind_with_article(MediaKind::kVideo), "a video");
}

}  // namespace
}  // namespace coppice
