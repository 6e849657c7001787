#include "net/http_multi.h"

#include <curl/curl.h>

#include <algorithm>

#include "base/error.h"
#include "net/curl_events.h"
#include "net/curl_parts.h"

namespace coppice {

using internal::CurlHandle;
using internal::CurlList;
using std::chrono::milliseconds;

struct HttpMulti::Handles {
  struct MultiDeleter {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  std::unique_ptr<internal::CurlEvents> events;  // called by the multi handle to its end
  std::unique_ptr<CURLM, MultiDeleter> multi;
  std::vector<CurlHandle> idle;

  CurlHandle take() {
    if (idle.empty()) return internal::new_curl_handle();
    CurlHandle handle = std::move(idle.back());
    idle.pop_back();
    return handle;
  }
  void give_back(CurlHandle handle) {
    curl_easy_reset(handle.get());
    idle.push_back(std::move(handle));
  }
};

struct HttpMulti::Transfer {
  std::uint64_t id = 0;
  HttpRequest request;
  CurlHandle handle;
  CurlList headers;
  HttpResponse response;
  std::uint64_t limit_bytes = 0;
  bool too_large = false;
  char reason[CURL_ERROR_SIZE] = {};

  // Nothing may be thrown through libcurl; short of memory is all that can happen here.
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    try {
      auto& response = static_cast<Transfer*>(self)->response;
      internal::take_header_line({data, size * count}, response);
      return response.headers.size() < 1000 ? size * count : 0;
    } catch (...) {
      return 0;
    }
  }
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
    try {
      return static_cast<Transfer*>(self)->take_body({data, size * count}) ? size * count : 0;
    } catch (...) {
      return 0;
    }
  }

  bool take_body(std::string_view bytes) {
    response.body_bytes += bytes.size();
    too_large = response.body_bytes > limit_bytes;
    if (!too_large) response.body.append(bytes);
    return !too_large;
  }

  HttpOutcome outcome(CURLcode code) const {
    if (code == CURLE_OK) return HttpOutcome::kAnswered;
    if (too_large) return HttpOutcome::kTooLarge;
    if (code == CURLE_OPERATION_TIMEDOUT) return HttpOutcome::kTimedOut;
    return internal::is_broken_transfer(code) ? HttpOutcome::kBroken : HttpOutcome::kFailed;
  }
};

HttpMulti::HttpMulti(HttpMultiOptions options)
    : options_(std::move(options)), handles_(std::make_unique<Handles>()) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    throw Error(ErrorCode::kInternal, "cannot initialise libcurl");
  }
  handles_->multi.reset(curl_multi_init());
  if (!handles_->multi)
    throw Error(ErrorCode::kInternal, "cannot create a multi handle of libcurl");
  handles_->events = std::make_unique<internal::CurlEvents>(handles_->multi.get());
  curl_multi_setopt(handles_->multi.get(), CURLMOPT_MAXCONNECTS, options_.connection_count);
}

HttpMulti::~HttpMulti() {
  cancel_all();
  handles_.reset();
  curl_global_cleanup();
}

void HttpMulti::start(std::uint64_t id, HttpRequest request, milliseconds timeout) {
  internal::check_http_url(request.url);
  auto transfer = std::make_unique<Transfer>();
  transfer->id = id;
  transfer->request = std::move(request);
  transfer->limit_bytes = options_.body_limit_bytes;
  transfer->headers = internal::header_list(transfer->request);
  transfer->handle = handles_->take();
  void* const handle = transfer->handle.get();
  internal::set_method(handle, transfer->request);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_USERAGENT, options_.user_agent.c_str());
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(std::min(options_.connect_timeout, timeout).count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  // A server that speaks HTTP/2 gets one connection, not one a request.
  if (transfer->request.url[4] == 's' || transfer->request.url[4] == 'S') {
    curl_easy_setopt(handle, CURLOPT_PIPEWAIT, 1L);
  }
  curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");  // whatever libcurl can unpack
  curl_easy_setopt(handle, CURLOPT_URL, transfer->request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, transfer->headers.get());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, transfer->reason);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, transfer.get());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, transfer.get());
  if (curl_multi_add_handle(handles_->multi.get(), handle) != CURLM_OK) {
    throw Error(ErrorCode::kInternal, "libcurl does not take a request");
  }
  transfers_.emplace(handle, std::move(transfer));
}

std::vector<HttpEnd> HttpMulti::wait(milliseconds most) {
  std::vector<HttpEnd> ended;
  handles_->events->run_timers();
  collect(ended);
  if (!ended.empty()) return ended;
  handles_->events->wait(most);
  collect(ended);
  return ended;
}

void HttpMulti::collect(std::vector<HttpEnd>& ended) {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(handles_->multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const auto found = transfers_.find(message->easy_handle);
    COPPICE_ASSERT(found != transfers_.end());
    const std::unique_ptr<Transfer> transfer = std::move(found->second);
    transfers_.erase(found);
    long status = 0;
    curl_easy_getinfo(transfer->handle.get(), CURLINFO_RESPONSE_CODE, &status);
    transfer->response.status = static_cast<int>(status);
    transfer->response.effective_url = transfer->request.url;
    HttpEnd& end = ended.emplace_back();
    end.id = transfer->id;
    end.outcome = transfer->outcome(code);
    end.reason = transfer->reason[0] != '\0' ? transfer->reason : curl_easy_strerror(code);
    long sent_bytes = 0;
    curl_easy_getinfo(transfer->handle.get(), CURLINFO_REQUEST_SIZE, &sent_bytes);
    end.sent = sent_bytes > 0;
    end.response = std::move(transfer->response);
    curl_multi_remove_handle(handles_->multi.get(), transfer->handle.get());
    handles_->give_back(std::move(transfer->handle));
  }
}

void HttpMulti::wake() noexcept { handles_->events->wake(); }

void HttpMulti::cancel_all() {
  for (const auto& [handle, transfer] : transfers_) {
    curl_multi_remove_handle(handles_->multi.get(), handle);
  }
  transfers_.clear();
}

}  // namespace coppice
