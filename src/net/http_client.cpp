#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "net/curl_parts.h"

namespace coppice {
namespace {

using internal::CurlHandle;
using std::chrono::milliseconds;

constexpr std::size_t kKeptErrorBodyBytes = 64 << 10;
constexpr milliseconds kMostRetryAfter{60'000};

bool worth_another_try(int status) {
  for (const int retried : {408, 425, 429, 500, 502, 503, 504}) {
    if (status == retried) return true;
  }
  return false;
}

// Retry-After in seconds; its other form, a date, is answered by our own backoff.
std::optional<milliseconds> retry_after(const HttpResponse& response) {
  const std::string text = response.header("retry-after");
  std::int64_t seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size() || seconds < 0)
    return std::nullopt;
  return std::min(milliseconds(std::min<std::int64_t>(seconds, 3600) * 1000), kMostRetryAfter);
}

}  // namespace

// Idle curl handles: each keeps its connections for the next request.
class HttpClient::Handles {
 public:
  CurlHandle take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return internal::new_curl_handle();
    CurlHandle handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
  }
  void give_back(CurlHandle handle) {
    curl_easy_reset(handle.get());
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(handle));
  }

 private:
  std::mutex mutex_;
  std::vector<CurlHandle> idle_;
};

struct HttpClient::Attempt {
  CURLcode code = CURLE_OK;
  std::string reason;
  HttpResponse response;
  // What the callbacks need. Nothing may be thrown through libcurl: it waits in `thrown`.
  const HttpRequest* request = nullptr;
  const HttpOptions* options = nullptr;
  const std::stop_token* stop = nullptr;
  CURL* handle = nullptr;
  std::exception_ptr thrown;
  bool too_large = false;

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Attempt*>(self)->take_header({data, size * count}) ? size * count : 0;
  }
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Attempt*>(self)->take_body({data, size * count}) ? size * count : 0;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Attempt*>(self)->stop->stop_requested() ? 1 : 0;
  }

  bool take_header(std::string_view line) {
    try {
      internal::take_header_line(line, response);
      return response.headers.size() < 1000;
    } catch (...) {
      thrown = std::current_exception();
      return false;
    }
  }

  bool take_body(std::string_view bytes) {
    try {
      long status = 0;
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
      response.status = static_cast<int>(status);
      if (!response.ok()) {
        const std::size_t room =
            kKeptErrorBodyBytes - std::min(kKeptErrorBodyBytes, response.body.size());
        response.body.append(bytes.substr(0, room));
        return true;
      }
      response.body_bytes += bytes.size();
      if (response.body_bytes > options->body_limit_bytes) {
        too_large = true;
        return false;
      }
      if (request->sink != nullptr) {
        request->sink->take(bytes);
      } else {
        response.body.append(bytes);
      }
      return true;
    } catch (...) {
      thrown = std::current_exception();
      return false;
    }
  }
};

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

HttpClient::HttpClient(HttpOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), handles_(std::make_unique<Handles>()) {
  // libcurl counts these calls and, as Debian builds it, takes them from any thread.
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    throw Error(ErrorCode::kInternal, "cannot initialise libcurl");
}

HttpClient::~HttpClient() {
  handles_.reset();
  curl_global_cleanup();
}

namespace {

void set_limits(CURL* handle, const HttpOptions& options) {
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, static_cast<long>(options.redirect_limit));
  curl_easy_setopt(handle, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(options.total_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  const auto stall = std::chrono::ceil<std::chrono::seconds>(options.stall_timeout);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(stall.count()));
}

[[noreturn]] void fail(CURLcode code, const std::string& reason, const HttpRequest& request,
                       const HttpOptions& options, int attempts) {
  const std::string url = printable_url(request.url);
  switch (code) {
    case CURLE_TOO_MANY_REDIRECTS:
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("{} redirects more than {} times", url, options.redirect_limit));
    case CURLE_UNSUPPORTED_PROTOCOL:
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("{} redirects to something that is not http or https", url));
    case CURLE_URL_MALFORMAT:
      throw Error(ErrorCode::kInvalidInput, fmt::format("{} is not a well-formed URL", url));
    default:
      throw Error(ErrorCode::kUnavailable,
                  fmt::format("cannot get {}: {} ({} attempt{})", url, reason, attempts,
                              attempts == 1 ? "" : "s"),
                  "check the address and the network, then try again");
  }
}

}  // namespace

void HttpClient::try_once(const HttpRequest& request, const std::stop_token& stop,
                          Attempt& attempt) {
  CurlHandle handle = handles_->take();
  attempt.request = &request;
  attempt.options = &options_;
  attempt.stop = &stop;
  attempt.handle = handle.get();
  const internal::CurlList headers = internal::header_list(request);
  char reason[CURL_ERROR_SIZE] = {};
  set_limits(handle.get(), options_);
  internal::set_method(handle.get(), request);
  curl_easy_setopt(handle.get(), CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(handle.get(), CURLOPT_HEADERFUNCTION, &Attempt::on_header);
  curl_easy_setopt(handle.get(), CURLOPT_HEADERDATA, &attempt);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, &Attempt::on_body);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &attempt);
  curl_easy_setopt(handle.get(), CURLOPT_XFERINFOFUNCTION, &Attempt::on_progress);
  curl_easy_setopt(handle.get(), CURLOPT_XFERINFODATA, &attempt);
  curl_easy_setopt(handle.get(), CURLOPT_NOPROGRESS, 0L);
  attempt.code = curl_easy_perform(handle.get());
  attempt.reason = reason[0] != '\0' ? reason : curl_easy_strerror(attempt.code);

  long status = 0;
  char* url = nullptr;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(handle.get(), CURLINFO_EFFECTIVE_URL, &url);
  attempt.response.status = static_cast<int>(status);
  if (url != nullptr) attempt.response.effective_url = url;
  attempt.handle = nullptr;
  handles_->give_back(std::move(handle));
}

void HttpClient::pause(int attempt, const HttpResponse& response,
                       const std::stop_token& stop) const {
  milliseconds left = backoff(attempt, options_.first_backoff, options_.most_backoff);
  if (const auto asked = retry_after(response)) left = std::max(left, *asked);
  for (constexpr milliseconds kSlice{50}; left.count() > 0 && !stop.stop_requested();
       left -= kSlice) {
    clock_.sleep(std::min(left, kSlice));
  }
}

HttpResponse HttpClient::send(const HttpRequest& request, std::stop_token stop) {
  internal::check_http_url(request.url);
  for (int number = 1;; ++number) {
    if (stop.stop_requested()) {
      throw Error(ErrorCode::kInterrupted,
                  fmt::format("interrupted while getting {}", printable_url(request.url)));
    }
    if (request.sink != nullptr) request.sink->reset();
    Attempt attempt;
    try_once(request, stop, attempt);
    if (attempt.thrown) std::rethrow_exception(attempt.thrown);
    if (attempt.too_large) {
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("{} is larger than the limit of {}", printable_url(request.url),
                              human_bytes(options_.body_limit_bytes)));
    }
    const bool last = number >= options_.attempt_count;
    if (attempt.code == CURLE_OK && (last || !worth_another_try(attempt.response.status)))
      return std::move(attempt.response);
    if (attempt.code == CURLE_ABORTED_BY_CALLBACK) continue;  // stop was requested
    if (attempt.code != CURLE_OK && (last || !internal::is_broken_transfer(attempt.code)))
      fail(attempt.code, attempt.reason, request, options_, number);
    pause(number, attempt.response, stop);
  }
}

std::string printable_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return std::string(url);
  const std::string_view scheme = url.substr(0, scheme_end + 3);
  std::string_view rest = url.substr(scheme_end + 3);
  const std::size_t at = rest.substr(0, rest.find('/')).rfind('@');
  if (at != std::string_view::npos) rest.remove_prefix(at + 1);
  return std::string(scheme) + std::string(rest);
}

}  // namespace coppice
