#include "rr/control/event_stream.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "rr/config/suggest.hpp"
#include "rr/control/json_text.hpp"
#include "rr/control/parameters.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;

// Kinds by the words of the parameter; those in capitals stand for several.
constexpr std::string_view kKinds[] = {"routes", "memberships", "peers", "limits", "next-hops", "policies", "config",
                                       "announced", "changed", "moved", "withdrawn", "membership-added", "membership-removed", "peer-up", "peer-down", "routes-kept", "routes-purged",
                                       "long-lived-stale", "limit-warning", "limit-exceeded", "next-hop-lost", "next-hop-found"};
std::vector<std::string_view> members(std::string_view word) {
  if (word == "routes") return {"announced", "changed", "moved", "withdrawn"};
  if (word == "memberships") return {"membership-added", "membership-removed"};
  if (word == "peers") return {"peer-up", "peer-down", "routes-kept", "routes-purged", "long-lived-stale"};
  if (word == "limits") return {"limit-warning", "limit-exceeded"};
  if (word == "next-hops") return {"next-hop-lost", "next-hop-found"};
  return {word};
}

class EventStream final : public ApiStream {
 public:
  EventStream(reflector::StateSource& state, reflector::EventQuery query, std::set<std::string, std::less<>> kinds)
      : state_(state), query_(query), kinds_(std::move(kinds)) {
    state_.events(cursor_, query_);  // from here on
  }
  State next(std::string& out) override {
    // The first line comes at once: a client knows that it listens.
    if (!std::exchange(began_, true)) out += "{\"kind\":\"listening\"}\n";
    reflector::EventBatch batch = state_.events(cursor_, query_);
    if (batch.lost != 0) out += to_text(json::object{{"kind", "lost"}, {"count", batch.lost}}) + "\n";
    for (const reflector::EventView& event : batch.events)
      if (kinds_.empty() || kinds_.contains(event.kind)) out += to_text(event_json(event)) + "\n";
    return batch.more ? State::more : State::wait;
  }

 private:
  reflector::StateSource& state_;
  reflector::EventQuery query_;
  std::set<std::string, std::less<>> kinds_;  // empty: all
  reflector::EventCursor cursor_;
  bool began_ = false;
};

}  // namespace

Result<std::unique_ptr<ApiStream>, ApiProblem> make_event_stream(reflector::StateSource& state, const Target& target) {
  reflector::EventQuery query;
  auto bad = read(target, "peer", query.peer, wire::parse_ip, "the address of a peer");
  if (!bad) bad = read(target, "rd", query.rd, wire::parse_rd, "a route distinguisher such as \"65000:101\"");
  if (!bad) bad = read(target, "rt", query.rt, wire::parse_rt, "a route target such as \"65000:101\"");
  if (!bad) bad = read(target, "prefix", query.prefix, wire::parse_prefix, "a prefix such as \"10.0.0.0/24\", without host bits");
  if (bad) return Unexpected(*bad);
  std::set<std::string, std::less<>> kinds;
  if (const std::string* list = target.find("kind")) {
    for (std::string_view rest = *list; !rest.empty();) {
      std::string_view word = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
      if (std::ranges::find(kKinds, word) == std::end(kKinds))
        return problem(400, "bad_parameter", fmt::format("kind \"{}\" is not a kind of event", word), config::suggestion(word, kKinds));
      for (std::string_view member : members(word)) kinds.emplace(member);
    }
  }
  // What is about routes or memberships alone is all that an RD, a prefix or a route target selects.
  if (query.rd || query.prefix) query.memberships = query.events = false;
  if (query.rt) query.events = false;
  auto wants = [&](std::initializer_list<std::string_view> words) {
    return kinds.empty() || std::ranges::any_of(words, [&](std::string_view w) { return std::ranges::any_of(members(w), [&](std::string_view m) { return kinds.contains(m); }); });
  };
  query.routes = query.routes && wants({"routes"});
  query.memberships = query.memberships && wants({"memberships"});
  query.events = query.events && wants({"peers", "limits", "next-hops", "policies", "config"});
  reflector::EventCursor probe;
  if (!state.events(probe, query).kept) return problem(409, "no_journal", "no journal is kept, and events come from there", "[journal] memory");
  return std::make_unique<EventStream>(state, query, std::move(kinds));
}

}  // namespace helio::control
