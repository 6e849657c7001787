// Reports of drills, in both forms: no changed byte is accepted, and they say what was found.
#include "recovery/drill_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "recovery/drill_page.h"
#include "recovery/signed_text.h"

namespace coppice::recovery {
namespace {

const repo::Key kSeed(std::string(32, 's'));

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kInternal;  // nothing was thrown
}

struct DrillReports : testing::Test {
  const repo::SigningKey key{kSeed};
  const std::vector<std::string> keys{key.public_hex()};
  KnownBackup backup;
  DrillRequest request;
  DrillReport report;
  std::vector<PastDrill> past;

  DrillReports() {
    backup.manifest.moment = "2026-11-22T10:00:00.000000Z";
    backup.manifest.home = "/srv/films <\"&\">";
    backup.manifest.points = {{1, 4, "2026-11-22T09:59:00Z", {"films.film", "films.frame"}}};
    backup.manifest.root = std::string(64, 'a');
    report.restore.backup = backup.id.hex();
    report.restore.equal = true;
    report.restore.root_restored = backup.manifest.root;
    report.restore.times.total = 2.3456789;
    report.rpo_seconds = 61.5;
    request.rto_seconds = 600;
  }

  DrillRecord record() {
    return {"0123", true, "latest", backup, 1'000'000, 2'000'000, request, report, past};
  }
  std::string json() { return signed_json(report_of(record()), key); }
  std::string page() { return signed_page(drill_page(json()), key); }

  void expect_no_change_is_accepted(const std::string& file) {
    ASSERT_EQ(code_of([&] { verified_report(file, keys); }), ErrorCode::kInternal);
    std::string changed = file;
    for (std::size_t at = 0; at < file.size(); ++at) {
      for (const int change : {0x20, 1 << at % 8}) {  // another case, and any bit
        changed[at] = static_cast<char>(file[at] ^ change);
        ASSERT_EQ(code_of([&] { verified_report(changed, keys); }), ErrorCode::kIntegrity)
            << "byte " << at << " xor " << change;
      }
      changed[at] = file[at];
    }
    for (const std::string& other :
         {file + "\n", file + " ", " " + file, "\n" + file, file.substr(1), std::string(),
          file.substr(0, file.size() - 1), file + file}) {
      EXPECT_EQ(code_of([&] { verified_report(other, keys); }), ErrorCode::kIntegrity);
    }
  }
};

TEST_F(DrillReports, NoChangedByteOfTheJsonIsAccepted) { expect_no_change_is_accepted(json()); }

TEST_F(DrillReports, NoChangedByteOfThePageIsAccepted) { expect_no_change_is_accepted(page()); }

TEST_F(DrillReports, AnotherKeyIsNotTrusted) {
  const repo::SigningKey other(repo::Key(std::string(32, 'o')));
  const std::string forged = signed_json(report_of(record()), other);
  EXPECT_EQ(code_of([&] { verified_report(forged, keys); }), ErrorCode::kIntegrity);
  EXPECT_EQ(code_of([&] { verified_report(forged, {}); }), ErrorCode::kIntegrity);
  EXPECT_EQ(verified_report(forged, {key.public_hex(), other.public_hex()}), forged);
}

TEST_F(DrillReports, TheSameFindingsGiveTheSameBytes) {
  EXPECT_EQ(json(), json());
  EXPECT_EQ(page(), page());
}

TEST_F(DrillReports, ThePageHoldsTheSignedReport) {
  EXPECT_EQ(verified_report(page(), keys), json());
}

TEST_F(DrillReports, WhatIsSignedIsAllButTheLastTwoLines) {
  const std::string file = json();
  const std::string_view bytes = split_signed(file).signed_bytes;
  EXPECT_EQ(bytes.back(), '\n');
  EXPECT_EQ(std::count(file.begin() + static_cast<std::ptrdiff_t>(bytes.size()), file.end(), '\n'),
            2);
}

TEST_F(DrillReports, SayWhatWasFound) {
  report.missed = {"the loss window of 60.0 s: 61.5 s were measured"};
  report.assertions = {{"SELECT false", false, "it gives f"}};
  past = {{std::string(64, '1'), "2026-01-01T00:00:00Z", std::string(64, 'b'), true, 1.5, 2.5, 600,
           std::nullopt}};
  const nlohmann::json parsed = parse_report(json());
  EXPECT_FALSE(parsed.at("passed").get<bool>());
  EXPECT_EQ(parsed.at("rto_seconds").at("total"), 2.346);
  EXPECT_EQ(parsed.at("objectives").at("rpo_seconds"), nullptr);
  EXPECT_EQ(parsed.at("versions").at(0).at("version"), 4);
  EXPECT_EQ(parsed.at("public_key"), key.public_hex());
  const PastDrill summary = summary_of(parsed, "id");
  EXPECT_EQ(summary.rto_seconds, 2.346);
  EXPECT_EQ(summary.rto_objective, 600);
  EXPECT_EQ(past_of(parsed).at(0).rpo_seconds, 2.5);
  const std::string html = page();
  for (const char* const text :
       {"The drill did not pass", "61.5 s were measured", "SELECT false",
        "/srv/films &lt;&quot;&amp;&quot;&gt;", "films.film, films.frame"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
}

TEST_F(DrillReports, OfARestoreThatFailedHaveNoMeasureOfIt) {
  report.restore.equal = false;
  report.failure = Error(ErrorCode::kIntegrity, "packs/ab/abc: it is damaged");
  const nlohmann::json parsed = parse_report(json());
  EXPECT_EQ(parsed.at("rto_seconds"), nullptr);
  EXPECT_EQ(parsed.at("failure"), "packs/ab/abc: it is damaged");
  EXPECT_EQ(summary_of(parsed, "").rto_seconds, std::nullopt);
  EXPECT_NE(page().find("packs/ab/abc"), std::string::npos);
}

TEST_F(DrillReports, RememberSoManyEarlierOnes) {
  for (int i = 0; i < 100; ++i) {
    past.push_back({std::to_string(i), "2026-01-01T00:00:00Z", "b", i % 2 == 0, i, i, {}, {}});
  }
  const std::vector<PastDrill> kept = past_of(parse_report(json()));
  ASSERT_EQ(kept.size(), kMostPastDrills);
  EXPECT_EQ(kept.front().id, "40");
  EXPECT_EQ(kept.back().id, "99");
}

TEST_F(DrillReports, ANewerFormatIsRefused) {
  nlohmann::ordered_json newer = report_of(record());
  newer["format"] = 2;
  EXPECT_EQ(code_of([&] { parse_report(newer.dump()); }), ErrorCode::kNewerFormat);
  EXPECT_EQ(code_of([&] { parse_report("{}"); }), ErrorCode::kIntegrity);
  EXPECT_EQ(code_of([&] { parse_report("["); }), ErrorCode::kIntegrity);
}

TEST_F(DrillReports, WhatIsNoTextDoesNotBreakThem) {
  report.assertions = {{"SELECT '\xff\x01'", false, "\x02"}};
  EXPECT_EQ(verified_report(page(), keys), json());
  EXPECT_EQ(page().find('\x01'), std::string::npos);
}

TEST(ShownDuration, IsForPeople) {
  EXPECT_EQ(shown_duration(0), "0 s");
  EXPECT_EQ(shown_duration(0.2504), "0.25 s");
  EXPECT_EQ(shown_duration(59.9), "59 s");
  EXPECT_EQ(shown_duration(125), "2 min 5 s");
  EXPECT_EQ(shown_duration(3'600), "1 h");
  EXPECT_EQ(shown_duration(90'000), "1 day 1 h");
}

}  // namespace
}  // namespace coppice::recovery
