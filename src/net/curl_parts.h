// What HttpClient and HttpMulti share of libcurl. Not for other components: they see no handle.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http_client.h"

struct curl_slist;

namespace coppice::internal {

struct CurlEasyDeleter {
  void operator()(void* handle) const;
};
using CurlHandle = std::unique_ptr<void, CurlEasyDeleter>;
CurlHandle new_curl_handle();

struct CurlListDeleter {
  void operator()(curl_slist* list) const;
};
using CurlList = std::unique_ptr<curl_slist, CurlListDeleter>;
CurlList header_list(const HttpRequest& request);

// Throws kInvalidInput when it is not an http or https URL.
void check_http_url(const std::string& url);
void set_method(void* handle, const HttpRequest& request);
// Takes a line of an answer's head; a status line forgets those of the answer before.
void take_header_line(std::string_view line, HttpResponse& response);

// A transfer that ended with this CURLcode may succeed when it is tried again.
bool is_broken_transfer(int code);

}  // namespace coppice::internal
