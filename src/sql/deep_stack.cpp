#include "sql/deep_stack.h"

#include <fmt/core.h>
#include <pthread.h>

#include <cstring>
#include <exception>

#include "base/error.h"

namespace coppice::sql {
namespace {

struct Call {
  const std::function<void()>& work;
  std::exception_ptr failure;
};

void* run_call(void* argument) {
  auto& call = *static_cast<Call*>(argument);
  try {
    call.work();
  } catch (...) {
    call.failure = std::current_exception();
  }
  return nullptr;
}

void check_thread_call(int code, const char* what) {
  if (code == 0) return;
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot {} for a deeply nested statement: {}", what, std::strerror(code)),
              "raise the limits on threads or address space (ulimit -u, ulimit -v)");
}

}  // namespace

void run_on_deep_stack(std::size_t depth, const std::function<void()>& work) {
  if (depth <= kDirectMessageDepth) {
    work();
    return;
  }
  if (depth > kMaxMessageDepth) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("the statement's tree is {} levels deep; the most is {}", depth,
                            kMaxMessageDepth),
                "split it into simpler expressions");
  }
  Call call{work, nullptr};
  pthread_attr_t attributes;
  check_thread_call(pthread_attr_init(&attributes), "describe a thread");
  pthread_t thread{};
  int code = pthread_attr_setstacksize(&attributes, kDeepStackBytes);
  if (code == 0) code = pthread_create(&thread, &attributes, run_call, &call);
  pthread_attr_destroy(&attributes);
  check_thread_call(code, "start a thread");
  pthread_join(thread, nullptr);
  if (call.failure) std::rethrow_exception(call.failure);
}

}  // namespace coppice::sql
