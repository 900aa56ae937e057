// Reflector, what the journal tells: the history of a prefix in sentences, and explain for a past moment. A journal is
// read on its shard's thread in slices of well under a millisecond.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "rr/reflector/past.hpp"
#include "rr/reflector/path_view.hpp"
#include "rr/reflector/reflector.hpp"

namespace helio::reflector {

using rib::JournalCause;
using rib::JournalEvent;
using rib::JournalRecord;
using wire::Family;

namespace {

constexpr std::size_t kBytesPerStep = 256 << 10, kRecordsPerStep = 1000;
using Kind = JournalRecord::Kind;

PathView path_of(const rib::JournalAttributes& a, const JournalRecord& record) {
  PathView view = view_of_attributes(record.prefix.is_v6 ? Family::vpnv6 : Family::vpnv4, a.bytes, a.next_hop, a.is_external);
  if (!a.is_complete) {
    view.local_pref = a.local_pref;
    for (std::uint64_t t : a.targets) view.route_targets.push_back({t});
  }
  view.from = a.address;
  view.labels = record.labels;
  view.best = true;
  return view;
}

std::string facts_of(const PathView& path, bool usable) {
  std::string text = "next hop " + wire::format_ip(path.next_hop);
  for (std::uint32_t label : path.labels) text += fmt::format(" label {}", label);
  text += fmt::format(" lp {}", path.local_pref);
  for (wire::RouteTarget rt : path.route_targets) text += " RT " + wire::format_rt(rt);
  if (!usable) text += ", not usable";
  return text;
}

std::string difference(const PathView& before, const PathView& after) {
  std::vector<std::string> parts;
  auto labels = [](const PathView& p) {
    std::string text;
    for (std::uint32_t l : p.labels) text += fmt::format("{}{}", text.empty() ? "" : "/", l);
    return text;
  };
  auto targets = [](const PathView& p) {
    std::string text;
    for (wire::RouteTarget rt : p.route_targets) text += (text.empty() ? "" : " ") + wire::format_rt(rt);
    return text.empty() ? std::string("none") : text;
  };
  auto differs = [&](std::string_view name, const std::string& a, const std::string& b) {
    if (a != b) parts.push_back(fmt::format("{} {} -> {}", name, a.empty() ? "none" : a, b.empty() ? "none" : b));
  };
  differs("next hop", wire::format_ip(before.next_hop), wire::format_ip(after.next_hop));
  differs("label", labels(before), labels(after));
  differs("LOCAL_PREF", fmt::format("{}", before.local_pref), fmt::format("{}", after.local_pref));
  differs("MED", before.med ? fmt::format("{}", *before.med) : "", after.med ? fmt::format("{}", *after.med) : "");
  differs("AS path", before.as_path, after.as_path);
  differs("RT", targets(before), targets(after));
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text.empty() ? "other attributes" : text;
}

std::string why(JournalCause cause) {
  switch (cause) {
    case JournalCause::purge: return " (routes of a session that ended, or stale ones, were removed)";
    case JournalCause::next_hop: return " (a next hop was lost, came back or has another metric)";
    case JournalCause::policy: return " (other policies)";
    default: return "";
  }
}
constexpr std::string_view kCauses[] = {"update", "purge", "next-hop", "policy"};

std::string plural(std::size_t n, std::string_view what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

// One change of a prefix as a sentence. `before`: its best path, where the journal has it.
HistoryEntry entry_of(const JournalRecord& r, const std::vector<rib::JournalAttributes>& attributes, const std::optional<PathView>& before) {
  HistoryEntry e;
  e.cause = kCauses[static_cast<std::size_t>(r.cause)];
  e.from = r.address;
  std::string from = wire::format_ip(r.address);
  if (r.kind == Kind::withdrawn) {
    e.kind = "withdrawn";
    e.previous = r.address;
    e.from.reset();
    e.text = r.cause == JournalCause::purge ? fmt::format("gone: the last path, from {}, was removed with its session or as stale", from)
             : r.cause == JournalCause::update ? fmt::format("withdrawn by {}: there is no path left", from)
                                               : fmt::format("gone: the last path was from {}{}", from, why(r.cause));
    return e;
  }
  const rib::JournalAttributes& a = attributes[r.attributes];
  e.path = path_of(a, r);
  e.paths = r.paths;
  std::string facts = facts_of(*e.path, a.is_eligible);
  if (r.was_there) e.previous = r.previous_address;
  if (!r.was_there) {
    e.kind = "announced";
    e.text = fmt::format("announced by {}: {}", from, facts);
  } else if (r.previous == r.peer) {
    e.kind = "changed";
    e.text = fmt::format("changed by {}: {}{}", from, before ? difference(*before, *e.path) : facts, why(r.cause));
  } else {
    e.kind = "moved";
    std::string previous = wire::format_ip(r.previous_address);
    e.text = fmt::format("best path moved from {} to {}: {}; the path from {} {}{}", previous, from, facts, previous,
                         r.previous_remains ? "is still there" : "is gone", why(r.cause));
  }
  if (r.paths > 1) {
    e.text += fmt::format("; {}", plural(r.paths, "path"));
    if (r.second_lost_at != rib::DecisionStep::none) e.text += fmt::format(", the second lost at: {}", rib::decision_step_name(r.second_lost_at));
  }
  return e;
}

std::string event_text(const JournalRecord& r) {
  std::string peer = wire::format_ip(r.address);
  switch (r.event) {
    case JournalEvent::peer_up: return fmt::format("session with {} established ({})", peer, r.text);
    case JournalEvent::peer_down: return fmt::format("session with {} ended: {}", peer, r.text);
    case JournalEvent::routes_kept: return fmt::format("routes of {} kept as stale ({}): it is expected back (RFC 4724)", peer, r.text);
    case JournalEvent::routes_purged: return fmt::format("routes of {} removed ({}): stale, or of a family that is not used any more", peer, r.text);
    case JournalEvent::long_lived: return fmt::format("routes of {} long-lived stale ({}) (RFC 9494)", peer, r.text);
    case JournalEvent::limit_warning: return fmt::format("{} comes near its prefix limit ({})", peer, r.text);
    case JournalEvent::limit_exceeded: return fmt::format("{} is above its prefix limit ({})", peer, r.text);
    case JournalEvent::next_hop_lost: return fmt::format("next hop {} cannot be reached any more", r.text);
    case JournalEvent::next_hop_found: return fmt::format("next hop {} can be reached again", r.text);
    case JournalEvent::policies: return "other policies are in force";
    case JournalEvent::config: return r.text;
    case JournalEvent::count_: break;
  }
  return r.text;
}

}  // namespace

rib::JournalSlice Reflector::read_journal(std::uint32_t shard, const rib::JournalFilter& filter) {
  rib::JournalSlice all;
  rib::JournalCursor cursor;
  while (!all.at_end) {
    rib::JournalSlice slice = on_shard(shard, [&] { return shards_[shard]->journal()->read(cursor, filter, kRecordsPerStep, kBytesPerStep); });
    auto base = static_cast<std::uint32_t>(all.attributes.size());
    for (JournalRecord& r : slice.records)
      if (r.attributes != rib::kNoId) r.attributes += base;
    std::ranges::move(slice.records, std::back_inserter(all.records));
    std::ranges::move(slice.attributes, std::back_inserter(all.attributes));
    all.at_end = slice.at_end;
  }
  return all;
}

WallTime Reflector::wall_time(std::uint64_t ms) {
  auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  session::TimePoint start = on_shard(0, [&] { return shards_[0]->started(); });
  if (start == session::TimePoint{} || ms == 0) return now;
  // Shards count from 1 at their start.
  return now - std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - (start + std::chrono::milliseconds(ms - 1)));
}

JournalReach Reflector::journal_reach(std::uint32_t shard) {
  JournalReach reach;
  if (shards_[shard]->journal() == nullptr) return reach;
  rib::Journal::Extent extent = on_shard(shard, [&] { return shards_[shard]->journal()->extent(); });
  reach.kept = true;
  reach.complete = extent.complete;
  if (extent.complete) reach.since = wall_time(1);
  else if (extent.oldest_ms != 0) reach.since = wall_time(extent.oldest_ms);
  reach.changes = extent.changes;
  reach.events = extent.events;
  reach.bytes = extent.bytes;
  reach.capacity = extent.capacity;
  return reach;
}

HistoryView Reflector::history(const wire::VpnPrefix& prefix, std::uint32_t limit) {
  HistoryView out;
  out.prefix = prefix;
  std::uint32_t owner = owner_of(prefix);
  out.journal = journal_reach(owner);
  if (!out.journal.kept) return out;
  rib::JournalFilter filter;
  filter.memberships = filter.events = false;
  filter.rd = prefix.rd.value;
  filter.prefix = prefix;
  rib::JournalSlice slice = read_journal(owner, filter);
  std::optional<PathView> before;
  std::map<std::uint32_t, std::uint64_t> peers;  // that play a part, since when
  std::uint64_t now_ms = 0;
  WallTime now = wall_time(0), start = wall_time(1);
  auto time_of = [&](std::uint64_t ms) { return ms == 0 ? now : start + std::chrono::milliseconds(ms - 1); };
  std::vector<std::pair<std::uint64_t, HistoryEntry>> entries;
  for (const JournalRecord& r : slice.records) {
    HistoryEntry e = entry_of(r, slice.attributes, before);
    e.time = time_of(r.time_ms);
    before = e.path;
    peers.try_emplace(r.peer.value, r.time_ms);
    if (r.was_there) peers.try_emplace(r.previous.value, r.time_ms);
    now_ms = std::max(now_ms, r.time_ms);
    entries.emplace_back(r.time_ms, std::move(e));
  }
  // Sessions of these peers come and go on their own shards.
  rib::JournalFilter events;
  events.routes = events.memberships = false;
  for (std::uint32_t s = 0; s < shards_.size() && !peers.empty(); ++s) {
    if (std::ranges::none_of(peers, [&](auto& p) { return p.first % shards_.size() == s; })) continue;
    for (const JournalRecord& r : read_journal(s, events).records) {
      auto peer = peers.find(r.peer.value);
      if (peer == peers.end()) continue;
      HistoryEntry e;
      e.time = time_of(r.time_ms);
      e.kind = rib::journal_event_name(r.event);
      e.from = r.address;
      e.text = event_text(r);
      entries.emplace_back(r.time_ms, std::move(e));
    }
  }
  // An event explains the changes of the same moment.
  std::ranges::stable_sort(entries, [](const auto& a, const auto& b) { return a.first != b.first ? a.first < b.first : a.second.cause.empty() && !b.second.cause.empty(); });
  std::size_t first = entries.size() > limit ? entries.size() - limit : 0;
  for (std::size_t i = first; i < entries.size(); ++i) out.entries.push_back(std::move(entries[i].second));
  return out;
}

void Reflector::note(JournalEvent event, const std::string& text) {
  on_shard(0, [&] {
    shards_[0]->tell(event, PeerId(), text);
    return 0;
  });
  sessions_.control(ShardId(0)).wake();  // which gives it its time
}

EventBatch Reflector::events(EventCursor& cursor, const EventQuery& query) {
  EventBatch out;
  out.kept = shards_[0]->journal() != nullptr;
  if (!out.kept) return out;
  rib::JournalFilter filter;
  filter.routes = query.routes;
  filter.memberships = query.memberships;
  filter.events = query.events;
  if (query.rd) filter.rd = query.rd->value;
  filter.prefix = query.prefix;
  if (cursor.shards.empty()) {
    for (std::uint32_t s = 0; s < shards_.size(); ++s) cursor.shards.push_back(on_shard(s, [&] { return shards_[s]->journal()->end_cursor(); }));
    return out;
  }
  WallTime now{}, start{};
  auto is_wanted = [&](const JournalRecord& r, const std::vector<rib::JournalAttributes>& attributes) {
    if (query.peer && r.address != *query.peer && !(r.was_there && r.previous_address == *query.peer)) return false;
    if (!query.rt) return true;
    if (r.kind == Kind::membership) return r.membership.matches_everything() || r.membership.matches(*query.rt);
    if (r.kind != Kind::announced) return false;
    std::vector<wire::RouteTarget> targets = path_of(attributes[r.attributes], r).route_targets;
    return std::ranges::find(targets, *query.rt) != targets.end();
  };
  for (std::uint32_t s = 0; s < shards_.size(); ++s) {
    std::uint64_t expected = cursor.shards[s].number;
    rib::JournalSlice slice = on_shard(s, [&] { return shards_[s]->journal()->read(cursor.shards[s], filter, kRecordsPerStep / 4, kBytesPerStep / 4); });
    out.lost += slice.first_number - expected;
    out.more = out.more || !slice.at_end;
    if (slice.records.empty()) continue;
    if (now == WallTime{}) {
      now = wall_time(0);
      start = wall_time(1);
    }
    for (const JournalRecord& r : slice.records) {
      if (!is_wanted(r, slice.attributes)) continue;
      EventView& e = out.events.emplace_back();
      if (r.kind == Kind::announced || r.kind == Kind::withdrawn) {
        static_cast<HistoryEntry&>(e) = entry_of(r, slice.attributes, std::nullopt);
        e.prefix = r.prefix;
      } else if (r.kind == Kind::membership) {
        e.kind = r.added ? "membership-added" : "membership-removed";
        e.from = r.address;
        e.membership = r.membership;
        e.text = fmt::format("{} {} {}", wire::format_ip(r.address), r.added ? "asks for" : "no longer asks for", wire::format_membership(r.membership));
      } else {
        e.kind = rib::journal_event_name(r.event);
        if (r.peer.valid()) e.from = r.address;
        e.text = event_text(r);
      }
      e.time = r.time_ms == 0 ? now : start + std::chrono::milliseconds(r.time_ms - 1);
    }
  }
  std::ranges::stable_sort(out.events, {}, &EventView::time);
  // Every shard with paths to it notices that a next hop is lost.
  auto twice = std::ranges::unique(out.events, [](const EventView& a, const EventView& b) { return a.kind.starts_with("next-hop") && a.kind == b.kind && a.text == b.text; });
  out.events.erase(twice.begin(), twice.end());
  return out;
}

std::optional<PastExplanation> Reflector::explain_at(const ExplainQuery& query, WallTime at) {
  PastExplanation out;
  out.prefix = query.prefix;
  out.at = at;
  out.to = query.to;
  out.now = wall_time(0);
  std::vector<session::PeerSnapshot> snapshots = sessions_.peers();
  const session::PeerSnapshot* to = nullptr;
  for (const session::PeerSnapshot& s : snapshots)
    if (query.to && s.address == *query.to) to = &s;
  if (query.to && to == nullptr) return std::nullopt;
  std::uint32_t owner = owner_of(query.prefix);
  out.journal = journal_reach(owner);
  out.not_known = {"paths that were not the best one", "what import and export policies, prefix limits and queues did with it then"};
  if (!out.journal.kept) {
    out.text = "no journal is kept ([journal] memory = 0)";
    return out;
  }
  if (at > out.now) {
    out.text = "that is in the future";
    return out;
  }
  WallTime start = wall_time(1);
  if (at < start) {
    out.text = "the daemon was not running then: it knows nothing from before its start";
    return out;
  }
  if (out.journal.since && at < *out.journal.since) {
    out.text = "the journal does not reach back so far";
    return out;
  }
  auto moment = static_cast<std::uint64_t>((at - start).count()) + 1;
  auto split = [&](const std::vector<JournalRecord>& records) {
    return static_cast<std::size_t>(std::partition_point(records.begin(), records.end(), [&](const JournalRecord& r) { return r.time_ms <= moment; }) - records.begin());
  };
  rib::JournalFilter filter;
  filter.memberships = filter.events = false;
  filter.rd = query.prefix.rd.value;
  filter.prefix = query.prefix;
  rib::JournalSlice slice = read_journal(owner, filter);
  PastRoute past = route_at(slice.records, split(slice.records), out.journal.complete);
  out.known = true;
  std::vector<wire::RouteTarget> targets;
  bool knows_targets = false, usable = true;
  switch (past.state) {
    case PastRoute::State::absent:
      out.state = "absent";
      out.text = "there was no path: nobody announced it then";
      break;
    case PastRoute::State::existed:
      out.state = "existed";
      out.from = past.address;
      out.text = fmt::format("it was there, the best path from {}; what was announced is older than the journal", wire::format_ip(past.address));
      break;
    case PastRoute::State::known: {
      const JournalRecord& r = slice.records[*past.record];
      const rib::JournalAttributes& a = slice.attributes[r.attributes];
      out.path = path_of(a, r);
      out.since = start + std::chrono::milliseconds(r.time_ms - 1);
      out.from = past.address;
      out.paths = r.paths;
      usable = a.is_eligible;
      targets = out.path->route_targets;
      knows_targets = true;
      out.text = fmt::format("best path from {}: {}", wire::format_ip(past.address), facts_of(*out.path, usable));
      out.state = usable ? "best" : "unusable";
      break;
    }
    case PastRoute::State::as_now: {
      RouteQuery now_query;
      now_query.family = query.prefix.is_v6 ? Family::vpnv6 : Family::vpnv4;
      now_query.rd = query.prefix.rd;
      now_query.prefix = query.prefix;
      now_query.limit = 1;
      RoutePage page = routes(now_query);
      if (page.routes.empty() || page.routes[0].paths.empty()) {
        out.state = "absent";
        out.text = "there was no path, and there has been none since";
        break;
      }
      out.path = page.routes[0].paths[0];
      out.paths = static_cast<std::uint32_t>(page.routes[0].paths.size());
      out.from = out.path->from;
      usable = out.path->lost_at.empty();
      out.state = usable ? "best" : "unusable";
      targets = out.path->route_targets;
      knows_targets = true;
      out.text = fmt::format("best path from {}, as now (it has not changed since): {}", wire::format_ip(*out.from), facts_of(*out.path, usable));
      break;
    }
  }
  if (to == nullptr) return out;

  // The peer: its session and its memberships then.
  std::uint32_t home = to->peer.value % static_cast<std::uint32_t>(shards_.size());
  JournalReach reach = journal_reach(home);
  auto stop = [&](std::string step, std::string verdict, std::string reason, std::string text) {
    out.steps.push_back({std::move(step), false, std::move(text)});
    out.verdict = std::move(verdict);
    out.reason = std::move(reason);
    return out;
  };
  auto pass = [&](std::string step, std::string text) { out.steps.push_back({std::move(step), true, std::move(text)}); };
  if (reach.since && at < *reach.since) return stop("session", "unknown", "journal", "the journal of the peer's shard does not reach back so far");
  struct Now {
    bool up = false, filtered = true;
    std::vector<wire::RtMembership> memberships;
  };
  rib::JournalFilter of_peer;
  of_peer.routes = false;
  // What changes between the two calls is in the journal and taken back without effect.
  Now now = on_shard(home, [&] {
    Now n;
    const Shard::PeerRecord* record = shards_[home]->peer_record(to->peer);
    n.up = record != nullptr;
    if (const Membership* m = shards_[home]->distribution().filter(to->peer)) n.memberships = m->all();
    n.filtered = record == nullptr ? true : record->info.families.contains(Family::rtc) || record->info.group->filters_without_rtc();
    return n;
  });
  rib::JournalSlice events = read_journal(home, of_peer);
  std::size_t before = split(events.records);
  std::span<const JournalRecord> records = events.records;
  if (!was_up(records, before, to->peer, now.up)) return stop("session", "not-to-be-sent", "session-down", "the session was not established");
  pass("session", "the session was established");
  if (out.state == "absent") return stop("route", "not-to-be-sent", "no-such-route", "there was no such route");
  if (out.state == "unusable") return stop("route", "not-to-be-sent", "not-eligible", "no path could be used");
  pass("route", fmt::format("the best path was from {}", out.from ? wire::format_ip(*out.from) : ""));
  const session::PeerSnapshot* source = nullptr;
  for (const session::PeerSnapshot& s : snapshots)
    if (out.from && s.address == *out.from) source = &s;
  if (out.from == to->address) return stop("reflection", "not-to-be-sent", "own-route", "it was the peer's own route");
  if (source != nullptr && source->role == session::PeerRole::non_client && to->role == session::PeerRole::non_client)
    return stop("reflection", "not-to-be-sent", "non-client-mesh", "it came from a non-client, and the peer is one (RFC 4456 section 6)");
  pass("reflection", "nothing stood against it (as the peers are configured now)");
  std::vector<wire::RtMembership> memberships = memberships_at(std::move(now.memberships), to->peer, records.subspan(before));
  bool filtered = now.up ? now.filtered : !memberships.empty();
  if (!filtered) {
    pass("membership", "the peer is not filtered by RT-Constrain");
  } else if (!knows_targets) {
    return stop("membership", "unknown", "route-targets", fmt::format("the peer asked for {}; the route targets of the route are older than the journal", plural(memberships.size(), "RT membership")));
  } else {
    auto by = std::ranges::find_if(memberships, [&](const wire::RtMembership& m) {
      return m.matches_everything() || std::ranges::any_of(targets, [&](wire::RouteTarget rt) { return m.matches(rt); });
    });
    if (by == memberships.end())
      return stop("membership", "not-to-be-sent", "no-membership", fmt::format("no RT interest: the peer asked for {}, none of which lets it through", plural(memberships.size(), "RT membership")));
    pass("membership", "let through by " + wire::format_membership(*by));
  }
  out.verdict = "to-be-sent";
  out.reason = "membership";
  return out;
}

}  // namespace helio::reflector
