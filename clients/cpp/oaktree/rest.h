// A cloud's own API, for what oaktree lacks, by libcurl. Nothing but this header is needed, and -lcurl.

#ifndef OPENSTACKOID_OAKTREE_REST_H_
#define OPENSTACKOID_OAKTREE_REST_H_

#include <curl/curl.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "oaktree/v1/cloud.grpc.pb.h"

namespace oaktree {

// Names of headers have no case.
struct IgnoreCase {
  bool operator()(const std::string& a, const std::string& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
      return std::tolower(x) < std::tolower(y);
    });
  }
};
using Headers = std::map<std::string, std::string, IgnoreCase>;

struct Response {
  long status = 0;
  std::string body;
};

// An HTTP client of one service of one cloud: paths are below the root of the service's API, and every request has a valid token.
//
// The token goes to the API's own scheme, host and port only: a redirect to another one is followed without it. Redirects are followed for
// GET and HEAD; of other methods the answer is the redirect itself. Errors are std::runtime_error; a URL instead of a path is
// std::invalid_argument. Several threads may use one object.
class Rest {
 public:
  // location: one cloud-region. service: the service type, "compute" or "image". metadata: credentials for oaktree, if the channel has none.
  Rest(const std::shared_ptr<grpc::Channel>& channel, const v1::Location& location, const std::string& service,
       Headers metadata = {})
      : clouds_(v1::CloudService::NewStub(channel)), metadata_(std::move(metadata)) {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) throw std::runtime_error(curl_easy_strerror(started));
    *request_.mutable_location() = location;
    request_.set_service(service);
  }

  Response Get(const std::string& path, const Headers& headers = {}) { return Send("GET", path, "", headers); }

  Response Send(const std::string& method, const std::string& path, const std::string& body = "",
                const Headers& headers = {}) {
    const v1::GetRestInfoResponse info = Current();
    const std::string home = Origin(info.root_url());
    const bool follows = method == "GET" || method == "HEAD";
    std::string url = Join(info.root_url(), path);
    for (int redirects = 0; redirects <= kMaxRedirects; ++redirects) {
      std::string next;
      Response response = Exchange(method, url, body, Prepared(headers, info, Origin(url) == home), &next);
      if (!follows || next.empty()) return response;
      url = next;
    }
    throw std::runtime_error("more than " + std::to_string(kMaxRedirects) + " redirects");
  }

 private:
  // Tokens are renewed so many seconds before they end, for clocks that differ and requests that take time.
  static constexpr int kMargin = 60;
  static constexpr int kMaxRedirects = 10;

  v1::GetRestInfoResponse Current() {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool has_ended = info_.has_expires_at() && info_.expires_at().seconds() - kMargin <= std::time(nullptr);
    if (info_.root_url().empty() || has_ended) {
      grpc::ClientContext context;
      for (const auto& [name, value] : metadata_) context.AddMetadata(name, value);
      v1::GetRestInfoResponse answer;
      const grpc::Status status = clouds_->GetRestInfo(&context, request_, &answer);
      if (!status.ok()) throw std::runtime_error("oaktree: " + status.error_message());
      info_ = answer;
    }
    return info_;
  }

  static std::string Join(const std::string& root, const std::string& path) {
    if (path.find("://") < path.find_first_of("/?#")) {
      throw std::invalid_argument("give a path below the API's root, not a URL");
    }
    const size_t begin = path.find_first_not_of('/');
    return root.substr(0, root.find_last_not_of('/') + 1) + "/" + (begin == std::string::npos ? "" : path.substr(begin));
  }

  static std::string Origin(const std::string& url) {
    const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parts(curl_url(), curl_url_cleanup);
    if (!parts || curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
      throw std::runtime_error("malformed URL: " + url);
    }
    std::string origin;
    for (const CURLUPart part : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
      char* value = nullptr;
      if (curl_url_get(parts.get(), part, &value, CURLU_DEFAULT_PORT) == CURLUE_OK) origin += value;
      curl_free(value);
      origin += ' ';
    }
    std::transform(origin.begin(), origin.end(), origin.begin(), [](unsigned char c) { return std::tolower(c); });
    return origin;
  }

  static Headers Prepared(Headers headers, const v1::GetRestInfoResponse& info, bool at_home) {
    if (at_home) {
      for (const auto& [name, value] : info.headers()) headers.emplace(name, value);
      return headers;
    }
    for (const char* name : {"Authorization", "Cookie", "X-Auth-Token", "X-Service-Token", "X-Subject-Token"}) headers.erase(name);
    for (const auto& [name, value] : info.headers()) headers.erase(name);
    return headers;
  }

  // next: where the answer leads to, as a whole URL; empty if nowhere.
  static Response Exchange(const std::string& method, const std::string& url, const std::string& body, const Headers& headers,
                           std::string* next) {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl) throw std::runtime_error("libcurl has no handle");
    curl_slist* lines = nullptr;
    for (const auto& [name, value] : headers) lines = curl_slist_append(lines, (name + ": " + value).c_str());
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> owner(lines, curl_slist_free_all);
    Response response;
    CURL* handle = curl.get();
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
    if (method == "HEAD") curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    if (!body.empty()) {
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
    }
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &response.body);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, +[](char* data, size_t size, size_t count, std::string* to) {
      to->append(data, size * count);
      return size * count;
    });
    const CURLcode code = curl_easy_perform(handle);
    if (code != CURLE_OK) throw std::runtime_error(curl_easy_strerror(code));
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &response.status);
    char* location = nullptr;
    curl_easy_getinfo(handle, CURLINFO_REDIRECT_URL, &location);
    if (location != nullptr) *next = location;
    return response;
  }

  std::unique_ptr<v1::CloudService::Stub> clouds_;
  const Headers metadata_;
  v1::GetRestInfoRequest request_;
  std::mutex mutex_;
  v1::GetRestInfoResponse info_;
};

}  // namespace oaktree

#endif  // OPENSTACKOID_OAKTREE_REST_H_
