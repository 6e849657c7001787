#include "repo/access_document.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"

namespace coppice::repo {
namespace {

using nlohmann::json;

constexpr int kMostDepth = 8;

Error damaged(const std::string& name, const std::string& what) {
  return Error(ErrorCode::kIntegrity, fmt::format("{}: {}", name, what));
}

// Of the document without one.
std::string mac_of(const json& content, const Keys& keys) {
  const Digest mac = hmac_sha256(keys.id_key(), content.dump());
  return to_base64({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

}  // namespace

AccessDocument::AccessDocument(std::string name, json content)
    : name_(std::move(name)), content_(std::make_shared<const json>(std::move(content))) {}

AccessDocument AccessDocument::read(ObjectStore& store, const std::string& name) {
  return parse(name, store.get(name));
}

AccessDocument AccessDocument::parse(const std::string& name, const std::string& text) {
  json content;
  try {
    // What is as deep as its writer likes would be written again, for the MAC, on the stack.
    content = json::parse(text, [&](int depth, json::parse_event_t, const json&) {
      if (depth > kMostDepth) throw damaged(name, "it is no document of a repository");
      return true;
    });
  } catch (const json::exception&) {
    throw damaged(name, "it is no JSON");
  }
  if (!content.is_object()) throw damaged(name, "it is no document of a repository");
  AccessDocument document(name, std::move(content));
  if (document.number("format") == 1) return document;
  throw Error(
      ErrorCode::kNewerFormat,
      fmt::format("{} has format {}, and this program knows 1", name, document.number("format")),
      "use a newer coppice");
}

void AccessDocument::fail(const std::string& what) const { throw damaged(name_, what); }

const json& AccessDocument::part(const char* member) const {
  const auto found = content_->find(member);
  if (found == content_->end() || !found->is_object()) fail(fmt::format("it has no {}", member));
  return *found;
}

std::string AccessDocument::text_of(const json& from, const char* member) const {
  const auto found = from.find(member);
  if (found == from.end() || !found->is_string()) fail(fmt::format("it has no {}", member));
  return found->get<std::string>();
}

std::uint64_t AccessDocument::number_of(const json& from, const char* member) const {
  const auto found = from.find(member);
  if (found == from.end() || !found->is_number_unsigned()) {
    fail(fmt::format("it has no {}", member));
  }
  return found->get<std::uint64_t>();
}

std::string AccessDocument::decoded(const std::string& base64, std::size_t size_bytes) const {
  const auto bytes = from_base64(base64);
  if (!bytes || (size_bytes > 0 && bytes->size() != size_bytes)) {
    fail("a value in it is not base64 of the right length");
  }
  return *bytes;
}

std::string AccessDocument::text(const char* member) const { return text_of(*content_, member); }

std::uint64_t AccessDocument::number(const char* member) const {
  return number_of(*content_, member);
}

std::string AccessDocument::binary(const char* member, std::size_t size_bytes) const {
  return decoded(text(member), size_bytes);
}

std::uint64_t AccessDocument::kdf_number(const char* member) const {
  return number_of(part("kdf"), member);
}

std::string AccessDocument::kdf_text(const char* member) const {
  return text_of(part("kdf"), member);
}

std::string AccessDocument::kdf_binary(const char* member, std::size_t size_bytes) const {
  return decoded(kdf_text(member), size_bytes);
}

std::optional<std::string> AccessDocument::sealed_for(const std::string& id) const {
  const json& all = part("sealed");
  const auto found = all.find(id);
  if (found == all.end() || !found->is_string()) return std::nullopt;
  return decoded(found->get<std::string>(), 0);
}

std::vector<SealedEpoch> AccessDocument::sealed_epochs() const {
  std::vector<SealedEpoch> epochs;
  for (const auto& [id, epoch] : part("sealed").items()) {
    if (!epoch.is_object()) fail("an epoch in it is none");
    epochs.push_back({id, number_of(epoch, "number"), decoded(text_of(epoch, "key"), 0)});
  }
  return epochs;
}

void AccessDocument::check_mac(const Keys& keys) const {
  json content = *content_;
  content.erase("mac");
  if (text("mac") == mac_of(content, keys)) return;
  fail("it was not written by anybody who holds a key of this repository");
}

void put_document(ObjectStore& store, const std::string& name, json content, const Keys& keys) {
  content["mac"] = mac_of(content, keys);
  if (store.put(name, content.dump(2) + "\n")) return;
  throw Error(ErrorCode::kConflict, fmt::format("{} is there already in {}", name, store.place()));
}

}  // namespace coppice::repo
