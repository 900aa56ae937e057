#include "tests/support/journal_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "rr/reflector/past.hpp"

namespace helio::test {

using rib::JournalRecord;
using reflector::PastRoute;

void JournalCheck::remember(const Oracle& oracle, const World& world, const Shards& shards) {
  Moment& moment = moments_.emplace_back();
  std::map<wire::VpnPrefix, std::vector<Oracle::Path>> all;
  ReflectorSpec reflector = world.reflector;
  for (const PeerSpec& peer : world.peers)
    for (const PathKey& key : oracle.prefixes_of(peer.id))
      if (auto path = oracle.usable(peer.id, key, oracle.policies()); path && path->is_reachable) all[key].push_back(*path);
  for (auto& [prefix, paths] : all) {
    const Oracle::Path& best = paths[select_best(paths, reflector)];
    moment.best[prefix] = {best.from->id, next_hop_of(best.route.attributes), best.route.labels};
  }
  for (const PeerSpec& peer : world.peers) {
    if (!oracle.is_up(peer.id)) continue;
    auto memberships = shards[peer.id.value % shards.size()]->distribution().filter(peer.id)->all();
    std::ranges::sort(memberships);
    moment.memberships[peer.id.value] = std::move(memberships);
  }
  for (const auto& shard : shards) moment.numbers.push_back(shard->journal()->changes_written());
}

std::string JournalCheck::compare_route(const Moment& then, const Moment& now, const wire::VpnPrefix& prefix, std::span<const JournalRecord> records,
                                        const std::vector<rib::JournalAttributes>& attributes, std::size_t before, bool complete) {
  PastRoute past = reflector::route_at(records, before, complete);
  auto expected = then.best.find(prefix);
  bool exists = expected != then.best.end();
  switch (past.state) {
    case PastRoute::State::absent: return exists ? "is absent in the journal" : "";
    case PastRoute::State::existed: return !exists || expected->second.from == past.peer ? "" : "was another peer's";  // one that cannot be used is there, too
    case PastRoute::State::as_now: {
      auto is = now.best.find(prefix);
      bool same = exists ? is != now.best.end() && is->second.from == expected->second.from && is->second.next_hop == expected->second.next_hop : is == now.best.end();
      return same ? "" : "has changed, and the journal does not know";
    }
    case PastRoute::State::known: break;
  }
  const JournalRecord& r = records[*past.record];
  const rib::JournalAttributes& a = attributes[r.attributes];
  if (!a.is_eligible) return exists ? "cannot be used in the journal" : "";
  if (!exists) return "is there in the journal";
  if (r.peer != expected->second.from || a.peer != r.peer) return "has another best path in the journal";
  PathAttributes attributes_then;
  attributes_then.next_hop.assign(a.next_hop.begin(), a.next_hop.end());
  if (next_hop_of(attributes_then) != expected->second.next_hop) return "has another next hop in the journal";
  return "";
}

std::string JournalCheck::check(const World& world, const Shards& shards) const {
  if (moments_.size() < 2) return "";
  const Moment& now = moments_.back();
  struct Read {
    std::vector<JournalRecord> records;
    std::vector<rib::JournalAttributes> attributes;
    std::uint64_t first = 0;
    std::map<wire::VpnPrefix, std::vector<std::size_t>> by_prefix;
    bool complete = true;
  };
  std::vector<Read> reads(shards.size());
  for (std::size_t s = 0; s < shards.size(); ++s) {
    Read& read = reads[s];
    read.complete = shards[s]->journal()->extent().complete;
    rib::JournalCursor cursor;
    for (bool is_first = true, at_end = false; !at_end; is_first = false) {
      rib::JournalSlice slice = shards[s]->journal()->read(cursor, {}, 50, 4096);  // in small steps, as it will be
      at_end = slice.at_end;
      if (is_first) read.first = slice.first_number;
      auto base = static_cast<std::uint32_t>(read.attributes.size());
      for (JournalRecord& r : slice.records) {
        if (r.attributes != rib::kNoId) r.attributes += base;
        if (r.kind == JournalRecord::Kind::announced || r.kind == JournalRecord::Kind::withdrawn) read.by_prefix[r.prefix].push_back(read.records.size());
        read.records.push_back(std::move(r));
      }
      std::ranges::move(slice.attributes, std::back_inserter(read.attributes));
      if (cursor.number != read.first + read.records.size()) return fmt::format("shard {}: the journal lost its count", s);
    }
    if (read.first + read.records.size() != now.numbers[s])
      return fmt::format("shard {}: the journal has {} records from {}, {} were written", s, read.records.size(), read.first, now.numbers[s]);
    if (!std::ranges::is_sorted(read.records, {}, &JournalRecord::time_ms)) return fmt::format("shard {}: the journal is not in order of time", s);
  }
  std::set<wire::VpnPrefix> prefixes;
  for (const Moment& m : moments_)
    for (const auto& [prefix, best] : m.best) prefixes.insert(prefix);
  for (const Read& read : reads)
    for (const auto& [prefix, indices] : read.by_prefix) prefixes.insert(prefix);
  std::size_t step = std::max<std::size_t>(1, moments_.size() / 4);
  for (std::size_t m = world.seed % step; m + 1 < moments_.size(); m += step) {
    const Moment& then = moments_[m];
    for (const wire::VpnPrefix& prefix : prefixes) {
      std::uint32_t owner = shards[0]->owner_of(prefix.rd.value, prefix.length == 0 ? std::uint8_t{0} : prefix.address[0]);
      const Read& read = reads[owner];
      if (then.numbers[owner] < read.first) continue;  // it does not reach back so far
      std::vector<JournalRecord> records;
      std::size_t before = 0;
      if (auto at = read.by_prefix.find(prefix); at != read.by_prefix.end())
        for (std::size_t i : at->second) {
          records.push_back(read.records[i]);
          if (read.first + i < then.numbers[owner]) before = records.size();
        }
      if (std::string wrong = compare_route(then, now, prefix, records, read.attributes, before, read.complete); !wrong.empty())
        return fmt::format("moment {} of {}: {} {}", m, moments_.size(), format_key(prefix), wrong);
    }
    for (const auto& [peer, memberships] : then.memberships) {
      const Read& read = reads[peer % shards.size()];
      std::uint64_t number = then.numbers[peer % shards.size()];
      if (number < read.first) continue;
      auto at = now.memberships.find(peer);
      std::vector<wire::RtMembership> is = at == now.memberships.end() ? std::vector<wire::RtMembership>() : at->second;
      std::span<const JournalRecord> records = read.records;
      auto was = reflector::memberships_at(is, PeerId(peer), records.subspan(number - read.first));
      if (was != memberships) return fmt::format("moment {} of {}: peer {} had {} memberships, {} by the journal", m, moments_.size(), peer, memberships.size(), was.size());
      if (!reflector::was_up(records, number - read.first, PeerId(peer), at != now.memberships.end())) return fmt::format("moment {}: peer {} was up", m, peer);
    }
  }
  return "";
}

}  // namespace helio::test
