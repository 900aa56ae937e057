// The control API without its transport: a request in, an answer out. One thread (the control thread) calls it.
// Paths and parameters are in endpoints.cpp, and with words and schemas in openapi.json.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "rr/config/config.hpp"
#include "rr/control/access.hpp"
#include "rr/control/actions.hpp"
#include "rr/control/exports.hpp"
#include "rr/control/json_views.hpp"
#include "rr/control/query.hpp"
#include "rr/reflector/state_source.hpp"

namespace helio::control {

struct ApiRequest {
  std::string_view method;  // "GET", "POST"
  std::string_view target;  // "/v1/routes?rd=65000:1"
  std::string_view body;
  Access access = Access::full;
  std::string_view how_to_change = {};  // a hint for who may only look
};

// An answer without an end, or one too long to be held: lines of JSON (NDJSON), asked for as the client takes them.
class ApiStream {
 public:
  virtual ~ApiStream() = default;
  enum class State : std::uint8_t {
    more,  // ask again at once
    wait,  // nothing now: ask again in a moment
    end
  };
  // Appends whole lines, some tens of kilobytes at most.
  virtual State next(std::string& out) = 0;
};

struct ApiResponse {
  std::unique_ptr<ApiStream> stream = nullptr;  // set: the answer is this, `body` is empty
  unsigned status = 200;
  std::string body;   // JSON, ends with a newline
  std::string allow;  // 405: the methods that would do
  std::string content_type = "application/json";
  std::string cursor;  // of an answer that is not JSON: where the next page begins; empty: the end
};

class Api {
 public:
  using ConfigSource = std::function<std::shared_ptr<const config::Config>()>;
  // `actions` may be null: then everything that changes something answers 501. All three outlive the Api.
  Api(reflector::StateSource& state, ControlActions* actions, ConfigSource config)
      : state_(state), actions_(actions), config_(std::move(config)) {}

  // Before the first request; without it there is neither BMP nor MRT. It outlives the Api.
  void serve(ExportSource& exports) { exports_ = &exports; }

  ApiResponse handle(const ApiRequest& request);

  const AccessCounters& refused() const { return refused_; }
  AccessCounters& refused() { return refused_; }  // for the transport; on the control thread

  // Called every few seconds: keeps what changes-per-second is computed from. Returns the summary it took.
  reflector::SummaryView tick(std::chrono::steady_clock::time_point now);

  static constexpr std::uint32_t kMaxPage = 1000;

 private:
  using Answer = Result<boost::json::value, ApiProblem>;
  Result<std::unique_ptr<ApiStream>, ApiProblem> stream(Target target);
  Answer get(const Target& target);
  Answer log_level(std::string_view level);
  Answer maintenance(bool on, std::string_view body);
  Answer post(const Target& target, std::string_view body);
  Answer peers(const Target& target);
  Answer peer(std::string_view address);
  Answer routes(const Target& target);
  Answer explain(const Target& target);
  Answer explain_at(const Target& target);
  Answer history(const Target& target);
  Answer churn();
  Answer rds(const Target& target);
  Answer explain_rt(const Target& target);
  Answer explain_peer(const Target& target);
  Answer latency();
  Answer health();
  Answer dump(const Target& target, ApiResponse& response);

  reflector::StateSource& state_;
  ControlActions* actions_;
  ConfigSource config_;
  ExportSource* exports_ = nullptr;
  AccessCounters refused_;
  KernelCounters kernel_at_start_ = read_kernel_counters();

  struct Sample {
    std::chrono::steady_clock::time_point at{};
    std::uint64_t best_changes[wire::kFamilyCount] = {};
  };
  struct LatencySample {
    std::chrono::steady_clock::time_point at{};
    reflector::Latencies counts;
  };
  std::deque<LatencySample> latencies_;  // of the last minute, oldest first
  Sample last_;
  reflector::EventCursor churn_;
  std::chrono::steady_clock::time_point churn_at_{};
  ChangeRates rates_;
};

}  // namespace helio::control
