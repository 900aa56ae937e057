// Any request to the control API: "METHOD TARGET", a line feed, the body. The answer is a JSON object, or a stream of them, or
// an MRT file; what is not 200 is a problem object, and nothing reaches the daemon from it.
#include <algorithm>
#include <boost/json.hpp>

#include "rr/control/api.hpp"
#include "rr/control/config_control.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace helio;

class State : public reflector::StateSource {
 public:
  reflector::SummaryView summary() override { return {}; }
  std::vector<reflector::PeerView> peers() override {
    reflector::PeerView peer;
    peer.address = wire::IpAddress::v4(0x0a000001);
    return {peer};
  }
  reflector::RoutePage routes(const reflector::RouteQuery& query) override {
    HELIO_CHECK(query.limit >= 1 && query.limit <= control::Api::kMaxPage, "pages are bounded");
    HELIO_CHECK(!query.longer || query.prefix, "longer than what?");
    HELIO_CHECK(!query.prefix || query.prefix->is_v6 == (query.family == wire::Family::vpnv6), "prefix and family agree");
    return {};
  }
  std::optional<reflector::Explanation> explain(const reflector::ExplainQuery& query) override {
    reflector::Explanation out;
    out.route.prefix = query.prefix;
    return out;
  }
  reflector::HistoryView history(const wire::VpnPrefix& prefix, std::uint32_t) override {
    reflector::HistoryView view;
    view.prefix = prefix;
    return view;
  }
  std::optional<reflector::PastExplanation> explain_at(const reflector::ExplainQuery& query, reflector::WallTime at) override {
    reflector::PastExplanation view;
    view.prefix = query.prefix;
    view.at = at;
    return view;
  }
  reflector::RtExplanation explain_rt(wire::RouteTarget rt) override {
    reflector::RtExplanation out;
    out.rt = rt;
    return out;
  }
  std::vector<reflector::RtView> route_targets() override { return {}; }
  std::vector<reflector::RtcRouteView> rtc_routes() override { return {}; }
  std::vector<reflector::EncodingClassView> encoding_classes() override { return {}; }
  reflector::MemoryView memory() override { return {}; }
};

class Actions : public control::ControlActions {
 public:
  control::ActionResult peer(const wire::IpAddress&, control::PeerAction, const std::string& text) override {
    HELIO_CHECK(text.size() <= 255, "RFC 9003");
    ++calls;
    return {};
  }
  control::ActionResult log_level(const std::string& level) override {
    HELIO_CHECK(std::ranges::find(control::kLogLevels, level) != std::end(control::kLogLevels), "a level");
    ++calls;
    return {};
  }
  control::ActionResult maintenance(bool, const std::string& text) override {
    HELIO_CHECK(text.size() <= 255, "RFC 9003");
    ++calls;
    return {};
  }
  control::ConfigControl* config() override { return &reloads; }

  class Reloads : public control::ConfigControl {
   public:
    explicit Reloads(int& calls) : calls_(calls) {}
    control::ConfigReport diff(bool) override { return {}; }
    control::ConfigReport reload(const control::ReloadRequest& request) override {
      HELIO_CHECK(!request.confirm || (request.confirm->count() >= 1 && request.confirm->count() <= 86400), "bounded");
      ++calls_;
      return {};
    }
    control::ConfigReport confirm() override { return {}; }
    control::ConfigReport rollback() override { return {}; }

   private:
    int& calls_;
  };
  int calls = 0;
  Reloads reloads{calls};
};

// A client that takes what there is: whole lines, each an object.
void check_stream(control::ApiStream& stream) {
  constexpr int kChunks = 8;
  for (int i = 0; i < kChunks; ++i) {
    std::string chunk;
    bool is_over = stream.next(chunk) == control::ApiStream::State::end;
    HELIO_CHECK(chunk.empty() || chunk.back() == '\n', "whole lines");
    for (std::size_t at = 0; at < chunk.size();) {
      std::size_t end = chunk.find('\n', at);
      boost::json::error_code error;
      boost::json::value line = boost::json::parse(std::string_view(chunk).substr(at, end - at), error);
      HELIO_CHECK(!error && line.is_object(), "a line is a JSON object");
      at = end + 1;
    }
    if (is_over) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t line = std::min(text.find('\n'), text.size());
  std::size_t space = std::min(text.find(' '), line);
  State state;
  Actions actions;
  static const auto config = std::make_shared<const config::Config>();
  control::Api api(state, &actions, [] { return config; });
  auto answer = api.handle({text.substr(0, space), text.substr(std::min(space + 1, line), line - std::min(space + 1, line)),
                            text.substr(std::min(line + 1, text.size()))});
  if (answer.stream) return check_stream(*answer.stream), 0;
  if (answer.content_type == "application/octet-stream" && answer.status == 200) return 0;
  boost::json::error_code error;
  boost::json::value value = boost::json::parse(answer.body, error);
  HELIO_CHECK(!error && value.is_object(), "the answer is a JSON object");
  bool is_health = value.as_object().contains("alive");
  if (answer.status != 200 && !is_health) {
    for (const char* key : {"error", "message", "hint"}) HELIO_CHECK(value.as_object().contains(key), "problem object");
    HELIO_CHECK(actions.calls == 0, "refused is not done");
  }
  return 0;
}
