#include "media/ingest.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace coppice {

namespace fs = std::filesystem;

// What messages say about a value.
struct MediaIngest::Source {
  std::string label;  // "street.mp4"
  MediaKind kind;
  std::string column;
};

namespace {

constexpr const char kKnownTypes[] =
    "images are JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIF; videos and sounds what FFmpeg reads; "
    "documents PDF, HTML, Markdown or UTF-8 text";

// The first bytes of a regular file that is not empty.
std::string first_bytes_of(const fs::path& file, const std::string& label) {
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no file {}", label),
                "relative names begin at the folder you are in");
  }
  if (!fd) {
    throw Error(ErrorCode::kIo, fmt::format("cannot read {}: {}", label, std::strerror(errno)),
                "check its permissions");
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("examine " + label);
  if (S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} is a folder, not a file", label),
                "name a file; coppice insert --from takes a folder");
  }
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} is a device or pipe, not a file", label));
  std::string bytes(kSniffBytes, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("read " + label);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  bytes.resize(size);
  return bytes;
}

SniffedType require_type(std::string_view first_bytes, const std::string& label, MediaKind kind,
                         const std::string& column) {
  const std::string wanted = fmt::format("the column {} takes {}", column, kind_with_article(kind));
  if (first_bytes.empty())
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} is empty (0 bytes), {}", label, wanted));
  const std::optional<SniffedType> type = sniff(first_bytes, kind);
  if (!type) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("{} is of no type that Coppice knows, {}", label, wanted), kKnownTypes);
  }
  if (type->kind != kind) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("{} is {}, {}", label, type->description, wanted));
  }
  return *type;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text, const std::string& label) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("{} has a \"%\" that two hexadecimal digits do not follow", label));
    }
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

std::string base64_decode(std::string_view text, const std::string& label) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
    const int digit = base64_digit(c);
    if (digit < 0)
      throw Error(ErrorCode::kInvalidInput, fmt::format("{} is not well-formed base64", label));
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      bytes.push_back(static_cast<char>(bits >> bit_count));
    }
  }
  if (bit_count >= 6)
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} is cut off base64", label));
  return bytes;
}

// "ftp" of "ftp://…"; empty when the text is no URL.
std::string scheme_of(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0) return {};
  for (const char c : text.substr(0, end)) {
    const bool valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '+' || c == '-' || c == '.';
    if (!valid) return {};
  }
  return lower(text.substr(0, end));
}

fs::path file_of_url(std::string_view url, const std::string& label) {
  url.remove_prefix(std::string_view("file://").size());
  if (starts_with_ignoring_case(url, "localhost/")) url.remove_prefix(9);
  if (url.empty() || url.front() != '/') {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} names a file of another machine", label),
                "write file:///path/of/the/file");
  }
  return percent_decode(url, label);
}

}  // namespace

MediaIngest::MediaIngest(MediaStore& store, UrlCache* cache, IngestOptions options,
                         MediaValidator validate)
    : store_(store), cache_(cache), options_(std::move(options)), validate_(std::move(validate)) {}

Ingested MediaIngest::take(const std::string& text, MediaKind kind, const std::string& column,
                           std::stop_token stop) const {
  Source source{text, kind, column};
  if (text.empty() || text.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("a value of the column {} is {}", column,
                            text.empty() ? "an empty text" : "a text with a NUL byte"),
                "give a path, a URL or NULL");
  }
  if (starts_with_ignoring_case(text, "data:")) {
    source.label = "the data: URL";
    return take_data(text, source);
  }
  if (text.rfind("media:", 0) == 0) return take_name(text, source);
  if (is_http_url(text)) return take_fetched(text, fetch(text, stop), kind, column);
  const std::string scheme = scheme_of(text);
  if (scheme == "file") return take_file(file_of_url(text, text), source);
  if (!scheme.empty()) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: {}:// addresses cannot be read", printable_url(text), scheme),
                "use a path, or a file://, http://, https:// or data: URL");
  }
  return take_file(options_.folder / text, source);
}

Ingested MediaIngest::take_file(const fs::path& file, const Source& source) const {
  const SniffedType type =
      require_type(first_bytes_of(file, source.label), source.label, source.kind, source.column);
  const MediaName name = store_.put_file(file, type.extension, options_.may_link);
  return check({name.text(), name, type, {}}, source);
}

CachedObject MediaIngest::fetch(const std::string& url, std::stop_token stop) const {
  if (cache_ != nullptr) return cache_->fetch(url, stop);
  throw Error(ErrorCode::kUnsupported,
              fmt::format("{}: http(s) addresses are not read here", printable_url(url)));
}

Ingested MediaIngest::take_fetched(const std::string& url, CachedObject content, MediaKind kind,
                                   const std::string& column) const {
  const Source source{printable_url(url), kind, column};
  const SniffedType type =
      require_type(first_bytes_of(content.file, source.label), source.label, kind, column);
  if (options_.urls == UrlPolicy::kKeep) {
    const MediaName name = content.name;
    return check({url, name, type, std::move(content)}, source);
  }
  const MediaName name = store_.put_file(content.file, type.extension, options_.may_link);
  return check({name.text(), name, type, {}}, source);
}

Ingested MediaIngest::take_data(const std::string& url, const Source& source) const {
  const std::size_t comma = url.find(',');
  if (comma == std::string::npos)
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} has no \",\"", source.label));
  const std::string_view head = std::string_view(url).substr(0, comma);
  const std::string_view body = std::string_view(url).substr(comma + 1);
  const bool base64 = head.size() >= 7 && lower(head.substr(head.size() - 7)) == ";base64";
  const std::string plain = percent_decode(body, source.label);
  const std::string bytes = base64 ? base64_decode(plain, source.label) : plain;
  const SniffedType type = require_type(bytes, source.label, source.kind, source.column);
  const MediaName name = store_.put_bytes(bytes, type.extension);
  return check({name.text(), name, type, {}}, source);
}

Ingested MediaIngest::take_name(const std::string& text, const Source& source) const {
  const std::optional<MediaName> name = MediaName::parse(text);
  if (!name) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} is not the name of a media object", text),
                "a name is media:<64 hexadecimal digits>.<extension>");
  }
  if (!store_.contains(*name))
    throw Error(ErrorCode::kNotFound, fmt::format("the media object {} is not in the store", text));
  const SniffedType type =
      require_type(first_bytes_of(store_.path_of(*name), text), text, source.kind, source.column);
  return check({text, *name, type, {}}, source);
}

Ingested MediaIngest::check(Ingested ingested, const Source& source) const {
  if (!validate_) return ingested;
  if (const std::optional<std::string> problem = validate_(source.kind, ingested.name)) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} cannot be taken into the column {}: {}",
                                                      source.label, source.column, *problem));
  }
  return ingested;
}

}  // namespace coppice
