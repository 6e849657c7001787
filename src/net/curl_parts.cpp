#include "net/curl_parts.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <new>

#include "base/error.h"
#include "base/text.h"

namespace coppice::internal {

void CurlEasyDeleter::operator()(void* handle) const { curl_easy_cleanup(handle); }

void CurlListDeleter::operator()(curl_slist* list) const { curl_slist_free_all(list); }

CurlHandle new_curl_handle() {
  CurlHandle handle(curl_easy_init());
  if (!handle) throw Error(ErrorCode::kInternal, "cannot create a handle of libcurl");
  return handle;
}

CurlList header_list(const HttpRequest& request) {
  CurlList list;
  const auto add = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(list.release());
    list.reset(longer);
  };
  for (const auto& [name, value] : request.headers) {
    if (name.find_first_of("\r\n:") != std::string::npos ||
        value.find_first_of("\r\n") != std::string::npos) {
      throw Error(ErrorCode::kInvalidInput, "a header of a request holds a line break");
    }
    add(fmt::format("{}: {}", name, value));
  }
  // Without it libcurl waits a second for "100 Continue" before it sends a large body.
  add("Expect:");
  return list;
}

void check_http_url(const std::string& url) {
  if (!starts_with_ignoring_case(url, "http://") && !starts_with_ignoring_case(url, "https://")) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("{} is not an http or https URL", printable_url(url)));
  }
}

void set_method(void* handle, const HttpRequest& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    return;
  }
  if (!request.body.empty() || request.method == "PUT" || request.method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void take_header_line(std::string_view line, HttpResponse& response) {
  if (line.substr(0, 5) == "HTTP/") {
    response.headers.clear();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  response.headers.emplace(lower(trim(line.substr(0, colon))), trim(line.substr(colon + 1)));
}

bool is_broken_transfer(int code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

}  // namespace coppice::internal
