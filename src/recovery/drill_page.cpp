#include "recovery/drill_page.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "recovery/signed_text.h"

namespace coppice::recovery {
namespace {

using nlohmann::json;

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #57606a; --paper: #ffffff; --rule: #d0d7de;
  --good: #116329; --bad: #b3261e; --line: #0a58ca; --limit: #8a4600; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --quiet: #9ea7b3; --paper: #10151b; --rule: #3d4550;
    --good: #57d364; --bad: #ff8a80; --line: #79b8ff; --limit: #f0b060; } }
@media print { :root { --ink: #000; --quiet: #333; --paper: #fff; --rule: #999; --good: #063; --bad: #900;
    --line: #036; --limit: #630; } details { display: none; } h2, svg, tr { break-inside: avoid; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { font-size: 1.15rem; font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; margin-bottom: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
  border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
th[scope=row] { font-weight: 400; color: var(--quiet); white-space: nowrap; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
code, pre { font-family: ui-monospace, monospace; font-size: .875rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; } svg text { fill: var(--quiet); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--rule); } .line { fill: none; stroke: var(--line); stroke-width: 2; }
.objective { fill: none; stroke: var(--limit); stroke-width: 2; stroke-dasharray: 7 4; }
.passed { fill: var(--line); } .failed { fill: none; stroke: var(--bad); stroke-width: 3; }
)";

std::string plural(double count, const char* unit) {
  return fmt::format("{:.0f} {}{}", count, unit, count == 1 ? "" : "s");
}

std::string text(const json& value) {
  if (value.is_null()) return "–";
  return html_escaped(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string seconds(const json& value) {
  return value.is_null() ? "–" : shown_duration(value.get<double>());
}

std::string seconds(const std::optional<double>& value) {
  return value ? shown_duration(*value) : "–";
}

std::string row(const std::string& name, const std::string& html, const char* kind = "") {
  return fmt::format("<tr><th scope=\"row\">{}</th><td{}>{}</td></tr>\n", name,
                     *kind == '\0' ? "" : fmt::format(" class=\"{}\"", kind), html);
}

std::string table(const std::string& caption, const std::string& head, const std::string& rows) {
  return fmt::format(
      "<div class=\"scroll\"><table>\n<caption>{}</caption>\n{}<tbody>\n{}</tbody></table></div>\n",
      caption, head.empty() ? "" : "<thead><tr>" + head + "</tr></thead>\n", rows);
}

std::string list(const json& texts) {
  std::string items;
  for (const json& item : texts) items += "<li>" + text(item) + "</li>\n";
  return "<ul>\n" + items + "</ul>\n";
}

std::string verdict(const json& report) {
  const bool passed = report.at("passed").get<bool>();
  std::string html = fmt::format("<p class=\"verdict {}\">{}</p>\n", passed ? "good" : "bad",
                                 passed ? "✔ The drill passed." : "✘ The drill did not pass.");
  json why = json::array();
  if (!report.at("failure").is_null()) why.push_back(report.at("failure"));
  for (const char* member : {"differences", "damaged", "missed"}) {
    for (const json& item : report.at(member)) why.push_back(item);
  }
  for (const json& assertion : report.at("assertions")) {
    if (assertion.at("holds").get<bool>()) continue;
    why.push_back(fmt::format("{}: {}", assertion.at("sql").get<std::string>(),
                              assertion.at("what").get<std::string>()));
  }
  return why.empty() ? html : html + list(why);
}

std::string facts(const json& report) {
  const json& backup = report.at("backup");
  const json& machine = report.at("machine");
  const bool equal = report.at("equal").get<bool>();
  std::string rows =
      row("Backup",
          "<code>" + text(backup.at("id")) + "</code>, asked for: " + text(report.at("asked"))) +
      row("Of the home", text(backup.at("home")) + " on " + text(backup.at("host"))) +
      row("State of", text(backup.at("moment"))) +
      row("Holds",
          fmt::format("{} row versions, {} media objects, {} bytes", text(backup.at("rows")),
                      text(backup.at("media_objects")), text(backup.at("bytes")))) +
      row("Root expected", "<code>" + text(report.at("root_expected")) + "</code>") +
      row("Root restored", "<code>" + text(report.at("root_restored")) + "</code>") +
      row("Content", equal ? "equal" : "not proven equal", equal ? "good" : "bad") +
      row("Repository", "<code>" + text(report.at("repository")) + "</code>" +
                            (report.at("encrypted").get<bool>() ? "" : ", not encrypted")) +
      row("Drilled on",
          fmt::format("{}: {}, {} cores, {:.1f} GiB of memory", text(machine.at("host")),
                      text(machine.at("system")), text(machine.at("cores")),
                      machine.at("memory_bytes").get<double>() / (1 << 30))) +
      row("Began", text(report.at("began_at"))) + row("Ended", text(report.at("ended_at"))) +
      row("By", "coppice " + text(report.at("program")));
  return table("What was restored, and where", "", rows);
}

std::string objective_row(const std::string& name, const json& measured, const json& objective) {
  const bool met = objective.is_null() ||
                   (!measured.is_null() && measured.get<double>() <= objective.get<double>());
  return fmt::format(
      "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td>"
      "<td class=\"{}\">{}</td></tr>\n",
      name, seconds(measured), seconds(objective), met ? "good" : "bad",
      objective.is_null() ? "no objective"
      : met               ? "met"
                          : "missed");
}

std::string measures(const json& report) {
  const json& times = report.at("rto_seconds");
  const json& objectives = report.at("objectives");
  std::string html =
      table("Against the objectives",
            "<th scope=\"col\">Measure</th><th scope=\"col\" class=\"number\">Measured</th>"
            "<th scope=\"col\" class=\"number\">Objective</th><th scope=\"col\">Result</th>",
            objective_row("Time to recover (RTO)", times.is_null() ? times : times.at("total"),
                          objectives.at("rto_seconds")) +
                objective_row("Loss window (RPO)", report.at("rpo_seconds"),
                              objectives.at("rpo_seconds")));
  if (times.is_null()) return html;
  constexpr std::pair<const char*, const char*> kPhases[] = {
      {"start", "Start: server, catalog"},
      {"rows", "Rows"},
      {"indexes", "Indexes, constraints, views"},
      {"media", "Media"},
      {"roots", "Proof of the roots"},
      {"first_query", "Until the first query, from the beginning"},
      {"total", "All"}};
  std::string rows;
  for (const auto& [member, name] : kPhases) rows += row(name, seconds(times.at(member)), "number");
  return html + table("Phases of the recovery", "", rows);
}

std::string versions(const json& report) {
  std::string rows;
  for (const json& version : report.at("versions")) {
    std::string names;
    for (const json& name : version.at("tables")) names += (names.empty() ? "" : ", ") + text(name);
    rows += fmt::format("<tr><td>{}</td><td class=\"number\">{}</td><td>{}</td></tr>\n", names,
                        text(version.at("version")), text(version.at("published_at")));
  }
  if (rows.empty()) return {};
  return "<h2>Versions</h2>\n" +
         table("What was restored",
               "<th scope=\"col\">Tables</th><th scope=\"col\" class=\"number\">Version</th>"
               "<th scope=\"col\">Published</th>",
               rows);
}

std::string assertions(const json& report) {
  std::string rows;
  for (const json& assertion : report.at("assertions")) {
    const bool holds = assertion.at("holds").get<bool>();
    rows += fmt::format("<tr><td><code>{}</code></td><td class=\"{}\">{}</td></tr>\n",
                        text(assertion.at("sql")), holds ? "good" : "bad",
                        holds ? "holds" : text(assertion.at("what")));
  }
  if (rows.empty()) return {};
  return "<h2>Assertions</h2>\n" +
         table("Statements that must be true of what was restored",
               "<th scope=\"col\">Statement</th><th scope=\"col\">Result</th>", rows);
}

std::string drills(const std::vector<PastDrill>& all) {
  std::vector<ChartPoint> rto, rpo;
  std::string rows;
  for (const PastDrill& drill : all) {
    rto.push_back({drill.began_at, drill.passed, drill.rto_seconds, drill.rto_objective});
    rpo.push_back({drill.began_at, drill.passed, drill.rpo_seconds, drill.rpo_objective});
    rows += fmt::format(
        "<tr><td>{}</td><td><code>{}</code></td><td class=\"{}\">{}</td>"
        "<td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
        html_escaped(drill.began_at), html_escaped(short_backup_id(drill.backup)),
        drill.passed ? "good" : "bad", drill.passed ? "passed" : "did not pass",
        seconds(drill.rto_seconds), seconds(drill.rpo_seconds));
  }
  return "<h2>Drills so far</h2>\n<p>Dashed: the objective. A cross: a drill that did not "
         "pass.</p>\n"
         "<h3>Time to recover (RTO)</h3>\n" +
         drill_chart("rto", "Time to recover of each drill, against its objective", rto) +
         "<h3>Loss window (RPO)</h3>\n" +
         drill_chart("rpo", "Loss window of each drill, against its objective", rpo) +
         table("The same as a table",
               "<th scope=\"col\">Began</th><th scope=\"col\">Backup</th><th scope=\"col\">Result"
               "</th><th scope=\"col\" class=\"number\">RTO</th>"
               "<th scope=\"col\" class=\"number\">RPO</th>",
               rows);
}

std::string page_of(const json& report, const std::string& file) {
  const std::string title = "Recovery drill of " + text(report.at("began_at"));
  std::vector<PastDrill> all = past_of(report);
  all.push_back(summary_of(report, ""));
  return "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
         "<meta charset=\"utf-8\"/>\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
         title + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<main>\n<h1>" + title +
         "</h1>\n" + verdict(report) + facts(report) + "<h2>Measured</h2>\n" + measures(report) +
         versions(report) + assertions(report) + drills(all) +
         "<h2>Signature</h2>\n<p>This page is signed with the key <code>" +
         text(report.at("public_key")) +
         "</code>. <code>coppice drill verify</code> tells whether a byte of it was changed; "
         "compare the key with the one of the repository, not with this line.</p>\n"
         "<details><summary>The signed report as JSON</summary>\n<pre id=\"signed\">" +
         html_escaped(file) + "</pre>\n</details>\n</main>\n</body>\n</html>\n";
}

}  // namespace

std::string shown_duration(double seconds) {
  constexpr double kMinute = 60, kHour = 3'600, kDay = 86'400;
  if (seconds < 10) return fmt::format("{:.3g} s", std::round(seconds * 1e3) / 1e3);
  if (seconds < kMinute) return fmt::format("{:.0f} s", std::min(std::round(seconds), 59.0));
  const auto with_rest = [&](double unit, const std::string& whole, double part, const char* name) {
    const double rest = std::floor((seconds - std::floor(seconds / unit) * unit) / part);
    return rest > 0 ? fmt::format("{} {:.0f} {}", whole, rest, name) : whole;
  };
  const auto whole = [&](double unit) { return std::floor(seconds / unit); };
  if (seconds < kHour) {
    return with_rest(kMinute, fmt::format("{:.0f} min", whole(kMinute)), 1, "s");
  }
  if (seconds < kDay)
    return with_rest(kHour, fmt::format("{:.0f} h", whole(kHour)), kMinute, "min");
  return with_rest(kDay, plural(whole(kDay), "day"), kHour, "h");
}

std::string drill_page(const std::string& report) {
  try {
    return page_of(parse_report(report), report);
  } catch (const json::exception& error) {
    throw Error(ErrorCode::kIntegrity, fmt::format("it is no report of a drill: {}", error.what()));
  }
}

}  // namespace coppice::recovery
